"""Whether agents can bill by the policy, as far as no server needs to be asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

from keito.billing.policy import BillingPolicy
from keito.billing.policy_checks import REQUIRED
from keito.cli.checks.finding import Finding, ok, problem, warning
from keito.pricing.listed import how_to_install


def check_policy(policy: Mapping[str, Any]) -> Iterator[Finding]:
    """Look at the values of a policy, and for prices.

    Args:
        policy: The fields that are set. Whether ids are missing is said where ids are looked for.
    """
    ids: dict[str, Any] = {field: policy.get(field) or "missing" for field in REQUIRED}
    try:
        BillingPolicy(**{**policy, **ids})
    except ValueError as error:
        yield problem("policy", str(error), "set it right: an agent with this value fails when it starts")
    else:
        yield ok("policy", "its values can be used")
    yield _prices()


def _prices() -> Finding:
    if find_spec("genai_prices") is not None:
        return ok("prices", f"genai-prices {version('genai-prices')} is installed")
    text = "genai-prices is not installed here: only what your own prices name, or a provider reports, has a cost"
    return warning("prices", text, how_to_install())
