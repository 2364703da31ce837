"""`python -m keito whoami`: whose key this is."""

from typing import TYPE_CHECKING, Any

from keito.cli.account import client_of_environment
from keito.cli.screen import Json, print_fields, print_json

if TYPE_CHECKING:
    from keito.client import Keito
    from keito.types.user import User


def whoami(as_json: Json = False) -> None:
    """Show whose API key this is, and which account it works for."""
    with client_of_environment() as client:
        user = client.users.me()
        about = _about(client, user)
    if as_json:
        print_json(about)
        return
    company = about["account"]
    print_fields(
        (
            ("User", " ".join(part for part in (about["name"], f"({about['id']})") if part)),
            ("E-mail", about["email"]),
            ("Kind", about["user_type"]),
            ("Roles", ", ".join(about["roles"])),
            ("Account", " ".join(part for part in (company["name"], f"({company['id']})") if part)),
            ("Currency", company["currency"]),
            ("Time zone", company["timezone"]),
            ("Rounding", company["time_rounding"]),
            ("Server", about["server"]),
        )
    )


def _about(client: "Keito", user: "User") -> dict[str, Any]:
    company: dict[str, Any] = user.company.model_dump() if user.company is not None else {}
    return {
        "id": user.id,
        "name": " ".join(part for part in (user.first_name, user.last_name) if part),
        "email": user.email,
        "user_type": None if user.user_type is None else user.user_type.value,
        "roles": user.roles or [],
        "account": {
            # The server need not tell: then it is the one that was named in the request.
            "id": company.get("id") or client.account_id or None,
            "name": company.get("name"),
            "currency": company.get("currency") or user.currency,
            "timezone": company.get("timezone"),
            "time_rounding": company.get("time_rounding"),
        },
        "server": client.base_url,
    }
