"""Bills agents through the GenAI spans that they emit."""

import sys

if sys.version_info < (3, 10):  # as for the other integrations
    raise ImportError(f"keito_otel needs Python 3.10 or newer; this is {sys.version_info[0]}.{sys.version_info[1]}")

try:
    import opentelemetry.sdk.trace as _sdk  # pyright: ignore[reportUnusedImport]  # noqa: F401
except ImportError as error:
    raise ImportError('keito_otel needs opentelemetry-sdk: pip install "keito[otel]"') from error

from keito_otel.installing import install
from keito_otel.processor import KeitoSpanProcessor
from keito_otel.sampling import MeteringSampler

__all__ = ["KeitoSpanProcessor", "MeteringSampler", "install"]
