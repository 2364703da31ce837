"""The billing policy that commands go by."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Optional

import typer

from keito.cli.explain import explain

PolicyFile = Annotated[
    Optional[Path],
    typer.Option("--policy", metavar="FILE", help="TOML file with the table [billing]; without it the environment."),
]


def fields_of(policy: Optional[Path]) -> Mapping[str, Any]:
    """The fields of a billing policy that a file sets, or the environment."""
    from keito.billing.policy import BillingPolicy  # noqa: PLC0415 - brings the metering along
    from keito.billing.reading import from_environment, from_file  # noqa: PLC0415

    try:
        fields = from_environment(os.environ) if policy is None else from_file(policy)
    except (ValueError, OSError, ImportError) as error:
        raise typer.BadParameter(explain(error)[0], param_hint="--policy") from None
    unknown = sorted(fields.keys() - BillingPolicy.__dataclass_fields__.keys())
    if unknown:
        raise typer.BadParameter(f"{policy}: [billing] has no field {', '.join(unknown)}", param_hint="--policy")
    return fields
