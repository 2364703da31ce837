"""Whether the fields of a policy can be true."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Optional

from keito.billing.budget import Budget
from keito.billing.notes import check_template
from keito.billing.reading import VARIABLES
from keito.metering.text import readable

REQUIRED = ("project_id", "task_id")
"""Without these nothing can be billed."""


def check_id(field: str, value: object) -> None:
    """Refuse what is no id, and a place that is missing."""
    if field in REQUIRED and not value:
        raise ValueError(f"{field} is not set: pass {field}=... or set {VARIABLES[field]}")
    if value is not None and (not isinstance(value, str) or not value.strip() or readable(value) != value):
        raise wrong(field, value, "is an id, a text")


def check_type(field: str, value: object, kind: type) -> None:
    """Refuse what is not of the class that a field takes."""
    optional = field in ("exchange_rate", "prices")
    if not isinstance(value, kind) and not (optional and value is None):
        package = ".".join(kind.__module__.split(".")[:2])
        raise ValueError(f"{field} is a {package}.{kind.__qualname__}; got {value!r}")


def check_choice(field: str, value: object, choices: tuple[Any, ...]) -> None:
    """Refuse what is none of the values that a field takes."""
    if value not in choices or isinstance(value, bool):
        raise ValueError(f"{field} is one of {', '.join(repr(choice) for choice in choices)}; got {value!r}")


def check_notes(template: Optional[str]) -> None:
    """Refuse a template of notes that no run could fill."""
    try:
        check_template(template or "")
    except (ValueError, TypeError) as error:
        raise ValueError(f"notes is a text with fields such as {{name}}; got {template!r}: {error}") from None


def markup_of(value: Any) -> Decimal:
    """The markup as an exact number."""
    try:
        factor = Decimal(value) if isinstance(value, (Decimal, int, str)) else None
    except ArithmeticError:
        factor = None
    if factor is None or not factor.is_finite() or factor <= 0:
        raise ValueError(f'markup is a positive, exact number such as Decimal("1.20"); got {value!r}')
    return factor


def budgets_of(value: Any) -> tuple[Budget, ...]:
    """One budget or several, as a tuple."""
    given: Any = () if value is None else value
    budgets: tuple[Any, ...] = (*given,) if type(given) in (list, tuple) else (given,)
    for budget in budgets:
        if not isinstance(budget, Budget):
            raise ValueError(f"budget is a keito.billing.Budget or several of them; got {value!r}")
    return tuple(dict.fromkeys(budgets))  # the same one twice would count everything twice


def wrong(field: str, value: object, rule: str) -> ValueError:
    """What to raise for a field that breaks a rule. It says how to set it."""
    hint = f" or {VARIABLES[field]}" if field in VARIABLES else ""
    return ValueError(f"{field} {rule}; got {value!r} (set {field}=...{hint})")
