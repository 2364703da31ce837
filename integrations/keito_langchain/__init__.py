"""Bills LangChain and LangGraph agents on Keito."""

try:
    import langchain_core as _langchain_core  # pyright: ignore[reportUnusedImport]  # noqa: F401
except ImportError as error:
    raise ImportError('keito_langchain needs langchain-core: pip install "keito[langchain]"') from error

from keito_langchain.handler import KeitoCallbackHandler

__all__ = ["KeitoCallbackHandler"]
