"""A Keito API v2 on this machine, for demos, tests and continuous integration.

    from keito.sandbox import SandboxServer

    with SandboxServer() as sandbox:
        client = Keito(api_key=sandbox.api_key, account_id=sandbox.account_id, base_url=sandbox.url)

Or from the command line: `python -m keito sandbox`. Needs `pip install "keito[sandbox]"`.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from keito.sandbox.server import SandboxServer

__all__ = ["SandboxServer"]

_EXTRA = ("fastapi", "starlette", "uvicorn")


def __getattr__(name: str) -> Any:
    if name != "SandboxServer":
        raise AttributeError(f"module 'keito.sandbox' has no attribute {name!r}")
    try:
        from keito.sandbox.server import SandboxServer  # noqa: PLC0415  # lazy: the pytest plugin must cost nothing
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _EXTRA:
            raise
        raise ImportError('The sandbox needs FastAPI and uvicorn: pip install "keito[sandbox]"') from error
    return SandboxServer
