"""What agents may spend."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Optional, Union

from typing_extensions import Literal

from keito.metering import LLMCall
from keito.metering.by_hand import EXACT, Number, exact
from keito.pricing.table import checked_currency


@dataclass(frozen=True)
class Budget:
    """A limit to what an agent spends. It is checked before a model call: the call that passes it is still made.

    Every budget that is used up is said in the log and on the records of the run. The agent is stopped only where
    `stop` asks for it. It counts what one `AgentBilling` sees, in one process.

    Args:
        max_cost: In `currency`. It counts model calls, and the cost that `record_usage` is told.
        max_tokens: Input and output together.
        max_calls: Model calls, failed ones included.
        per: Counts one "run" with its children; or one "day" of a project, in the policy's time zone; or all that
            is billed to a "project".
        stop: Raise `KeitoBudgetExceeded` before the next model call.
        unpriced: What a call without a price means for `max_cost`: "allow" counts it as nothing, "refuse" takes the
            budget as used up, since nobody knows what is left of it.
        currency: ISO code of `max_cost`; by default that of the user's own prices, else US dollars. Costs in another
            one are converted by the policy's exchange rate; without it they have no price here.

    Raises:
        ValueError: There is no limit, or a value is wrong.
    """

    max_cost: Optional[Number] = None
    max_tokens: Optional[int] = None
    max_calls: Optional[int] = None
    per: Literal["run", "day", "project"] = "run"
    stop: bool = False
    unpriced: Literal["allow", "refuse"] = "allow"
    currency: Optional[str] = None

    def __post_init__(self) -> None:
        if self.max_cost is not None:
            object.__setattr__(self, "max_cost", exact("max_cost", self.max_cost))
        if self.currency is not None:
            checked_currency(self.currency)
        for field in ("max_tokens", "max_calls"):
            _check_count(field, getattr(self, field))
        if self.max_cost is None and self.max_tokens is None and self.max_calls is None:
            raise ValueError("a budget has a max_cost, a max_tokens or a max_calls")
        if self.per not in ("run", "day", "project") or self.unpriced not in ("allow", "refuse"):
            raise ValueError(
                f'per is "run", "day" or "project", unpriced "allow" or "refuse"; got {self.per!r}, {self.unpriced!r}'
            )

    @property
    def needs_prices(self) -> bool:
        """Whether each call must be priced when it is recorded."""
        return self.max_cost is not None

    def breach(self, spent: Spending) -> Optional[str]:
        """Which limit is reached, in words; `None` while there is something left."""
        if self.max_cost is not None and self.unpriced == "refuse" and spent.unpriced:
            return f"calls without a known price: {spent.unpriced}"
        most_cost = None if self.max_cost is None else Decimal(self.max_cost)
        limits: tuple[tuple[Union[Decimal, int], Union[Decimal, int, None], str], ...] = (
            (spent.cost, most_cost, "cost"),
            (spent.tokens, self.max_tokens, "tokens"),
            (spent.calls, self.max_calls, "calls"),
        )
        reached = (f"{what} {used} of {limit}" for used, limit, what in limits if limit is not None and used >= limit)
        return next(reached, None)


@dataclass
class Spending:
    """What was spent of a budget.

    Attributes:
        cost: Of what has a price, in the currency of the budget.
        tokens: Input and output.
        calls: Model calls.
        unpriced: Calls and other costs whose price is not known, or not in this currency.
    """

    cost: Decimal = Decimal(0)
    tokens: int = 0
    calls: int = 0
    unpriced: int = 0

    def add(self, call: LLMCall, times: int = 1) -> None:
        """Add a call; -1 times takes it back."""
        self.calls += times
        if call.chargeable and call.usage is not None:
            self.tokens += times * call.usage.countable.total_tokens

    def pay(self, amount: Optional[Decimal], times: int = 1) -> None:
        """Add what something costs, which may be unknown; -1 times takes it back."""
        if amount is None:
            self.unpriced += times
        else:
            self.cost = EXACT.fma(amount, times, self.cost)


def _check_count(field: str, value: Union[int, None]) -> None:
    if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 0):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ValueError(f"{field} is a whole number; got {value!r}")
