"""`python -m keito prices`: what a model costs, and whether a price table of your own is right."""

from __future__ import annotations

import argparse
import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Optional, Union

from keito.core.errors import KeitoError
from keito.pricing import METERED, PriceTable, PriceTableError, RateSet, find_rates
from keito.pricing.listed import how_to_install

_STATUS = "Exit status: 0; 1 when a model has no price; 2 when an argument or the table is wrong."

_PER = {"requests_kcount": "for a thousand requests", "request": "for a request"}


def add_command(commands: Any) -> None:
    """Add the command to the parser."""
    description = "Show what a model costs, and check a price table of your own."
    top = commands.add_parser("prices", help="show and check prices of models", description=description)
    actions = top.add_subparsers(title="actions", metavar="ACTION", required=True)
    about = "show the rates of a model"
    show = actions.add_parser("show", help=about, description=f"{about.capitalize()}.", epilog=_STATUS)
    show.add_argument(
        "model", metavar="MODEL", type=_name, help="name of the model, such as gpt-5-mini or azure/gpt-5-mini"
    )
    show.add_argument("--table", metavar="FILE", type=read_table, help="your own prices, TOML or JSON")
    show.set_defaults(run=run_show)
    about = "check a price table, and which models have no price"
    check = actions.add_parser("check", help=about, description=f"{about.capitalize()}.", epilog=_STATUS)
    check.add_argument("table", metavar="FILE", nargs="?", type=read_table, help="your own prices, TOML or JSON")
    look_up = "a model to look up; repeatable"
    check.add_argument("--model", action="append", default=[], type=_name, metavar="NAME", help=look_up)
    seen = "also the models in the outbox (KEITO_OUTBOX_URL) whose calls had no price"
    check.add_argument("--outbox", action="store_true", help=seen)
    check.set_defaults(run=run_check)
    for action in (show, check):
        action.add_argument("--provider", metavar="NAME", help="who serves the model, such as azure or bedrock")
        action.add_argument("--tier", metavar="NAME", help="service tier, such as batch (default: standard)")
        action.add_argument("--at", metavar="DATE", type=_moment, help="date or time of the call (default: now)")


def run_show(arguments: argparse.Namespace) -> int:
    """Print the rates of a model; status 1 when it has none."""
    found = _find(arguments, arguments.model)
    if isinstance(found, str):
        print(f"{arguments.model}: {found}", file=sys.stderr)  # noqa: T201
        return 1
    print(f"{arguments.model}: {_origin(found)}, {found.currency}")  # noqa: T201
    for unit, rate in found.rates.items():
        if unit in METERED:
            steps = "".join(f", or {price} above {size:,} input tokens" for size, price in rate.steps)
            print(f"  {unit:<24}{rate.base}{steps}, {_PER.get(unit, 'for a million tokens')}")  # noqa: T201
    return 0


def run_check(arguments: argparse.Namespace) -> int:
    """Print what is in the table, and for each model whether it has a price; status 1 when one has none."""
    table: Optional[PriceTable] = arguments.table
    if table is None and not arguments.model and not arguments.outbox:
        print("keito prices check: name a FILE, a --model or --outbox", file=sys.stderr)  # noqa: T201
        return 2
    if table is not None:
        count = len(table.prices)
        print(f"{count} {'price' if count == 1 else 'prices'} in {table.currency}, version {table.version}")  # noqa: T201
    found = {model: _find(arguments, model) for model in arguments.model}
    for model, rates in found.items():
        print(f"{model}: {_known(rates)}")  # noqa: T201
    try:
        without = _check_outbox(table) if arguments.outbox else 0
    except (KeitoError, ValueError, ImportError) as error:
        print(f"keito prices check: {error}", file=sys.stderr)  # noqa: T201
        return 1
    return int(without > 0 or any(isinstance(rates, str) for rates in found.values()))


def _known(rates: Union[RateSet, str]) -> str:
    return f"no price: {rates}" if isinstance(rates, str) else _origin(rates)


def _check_outbox(table: Optional[PriceTable]) -> int:
    """Print which models in the outbox had no price, and whether they have one now; answers how many still do not."""
    from keito.cli.seen import unpriced_models  # noqa: PLC0415 - brings a database along

    models = unpriced_models(table)
    for model in models:
        calls = f"{model.calls:,} {'call' if model.calls == 1 else 'calls'}"
        provider = f"{model.provider} " if model.provider else ""
        print(f"{provider}{model.model} ({calls} in the outbox): {_known(model.rates)}")  # noqa: T201
    if not models:
        print("No model in the outbox lacked a price.")  # noqa: T201
    return sum(isinstance(model.rates, str) for model in models)


def _find(arguments: argparse.Namespace, model: str) -> Union[RateSet, str]:
    at = arguments.at or datetime.now(timezone.utc)
    found = find_rates(arguments.provider, model, at, arguments.tier, arguments.table)
    if isinstance(found, RateSet) and found.tier is not None and not found.tier:
        return "tier without a rate"
    return f"{found}; {how_to_install()}" if found == "genai-prices not installed" else found


def _origin(rates: RateSet) -> str:
    return " ".join(part for part in (rates.source, rates.table_version) if part)


def _name(text: str) -> str:
    if not text.strip():
        raise argparse.ArgumentTypeError("the name of a model is empty")
    return text


def read_table(name: str) -> PriceTable:
    """The price table in a file; what is wrong with it is an error of the argument."""
    try:
        return PriceTable.from_json(name) if Path(name).suffix == ".json" else PriceTable.from_toml(name)
    except OSError as error:
        raise argparse.ArgumentTypeError(f"{name} cannot be read: {error.strerror or error}") from None
    except (PriceTableError, ImportError) as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no date such as 2026-11-20, or 2026-11-20T18:00+01:00") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
