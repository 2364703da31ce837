"""Bills LangChain and LangGraph agents on Keito."""

import sys
from typing import TYPE_CHECKING, Any

if sys.version_info < (3, 10):  # the extra installs nothing there
    raise ImportError(
        f"keito_langchain needs Python 3.10 or newer; this is {sys.version_info[0]}.{sys.version_info[1]}"
    )

try:
    import langchain_core as _langchain_core  # pyright: ignore[reportUnusedImport]  # noqa: F401
except ImportError as error:
    raise ImportError('keito_langchain needs langchain-core: pip install "keito[langchain]"') from error

from keito_langchain.budget import KeitoBudgetHandler
from keito_langchain.handler import KeitoCallbackHandler
from keito_langchain.installing import install, uninstall

if TYPE_CHECKING:
    from keito_langchain.embeddings import BilledEmbeddings

__all__ = ["BilledEmbeddings", "KeitoBudgetHandler", "KeitoCallbackHandler", "install", "uninstall"]


def __getattr__(name: str) -> Any:
    # LangChain's embeddings bring its runnables along, which a program pays for only once it uses them.
    if name != "BilledEmbeddings":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from keito_langchain.embeddings import BilledEmbeddings  # noqa: PLC0415

    return BilledEmbeddings
