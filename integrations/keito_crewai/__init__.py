"""Bills CrewAI crews, flows and agents on Keito. CrewAI itself is imported when something of it is billed."""

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

if sys.version_info < (3, 10):  # the extra installs nothing there
    raise ImportError(f"keito_crewai needs Python 3.10 or newer; this is {sys.version_info[0]}.{sys.version_info[1]}")

if TYPE_CHECKING:
    from keito_crewai.billed import BilledAgent, BilledCrew, BilledFlow, billed_agent
    from keito_crewai.installing import install, uninstall
    from keito_crewai.lost import UnattributedUsage, unattributed

__all__ = [
    "BilledAgent",
    "BilledCrew",
    "BilledFlow",
    "UnattributedUsage",
    "billed_agent",
    "install",
    "unattributed",
    "uninstall",
]

_PLACES = {
    "BilledAgent": "billed",
    "BilledCrew": "billed",
    "BilledFlow": "billed",
    "UnattributedUsage": "lost",
    "billed_agent": "billed",
    "install": "installing",
    "unattributed": "lost",
    "uninstall": "installing",
}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"keito_crewai.{_PLACES[name]}"), name)
