"""The base of what is sent: request bodies that refuse what the API's contract forbids."""

from pydantic import BaseModel, ConfigDict


class Request(BaseModel):
    """A request body. Fields that were not given are not sent; `None` is sent as null.

    Unknown fields are refused: a misspelt `unit_price` must not become a wrong bill.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=(), defer_build=True)
