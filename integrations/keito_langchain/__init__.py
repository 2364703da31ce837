"""Bills LangChain and LangGraph agents on Keito."""

import sys

if sys.version_info < (3, 10):  # the extra installs nothing there
    raise ImportError(
        f"keito_langchain needs Python 3.10 or newer; this is {sys.version_info[0]}.{sys.version_info[1]}"
    )

try:
    import langchain_core as _langchain_core  # pyright: ignore[reportUnusedImport]  # noqa: F401
except ImportError as error:
    raise ImportError('keito_langchain needs langchain-core: pip install "keito[langchain]"') from error

from keito_langchain.budget import KeitoBudgetHandler
from keito_langchain.embeddings import BilledEmbeddings
from keito_langchain.handler import KeitoCallbackHandler
from keito_langchain.installing import install, uninstall

__all__ = ["BilledEmbeddings", "KeitoBudgetHandler", "KeitoCallbackHandler", "install", "uninstall"]
