"""One page of a list."""

from dataclasses import replace
from typing import Generic, Optional, TypeVar

from pydantic import AliasChoices, BaseModel, ConfigDict, Field

from keito.core.call import Call

T = TypeVar("T")


class Links(BaseModel):
    """The relative URLs of neighbouring pages."""

    model_config = ConfigDict(frozen=True, extra="allow", defer_build=True)

    first: Optional[str] = None
    next: Optional[str] = None
    previous: Optional[str] = None
    last: Optional[str] = None


# The API names the array of a list after what it holds.
_ITEM_KEYS = AliasChoices(
    "time_entries", "expenses", "projects", "clients", "contacts", "tasks", "invoices", "invoice_messages", "results"
)


class Page(BaseModel, Generic[T]):
    """One page of a list. An empty list has `total_pages` 0."""

    model_config = ConfigDict(frozen=True, extra="allow", defer_build=True)

    items: list[T] = Field(validation_alias=_ITEM_KEYS)
    page: Optional[int] = None
    per_page: Optional[int] = None
    total_pages: Optional[int] = None
    total_entries: Optional[int] = None
    links: Optional[Links] = None


def at_page(first: Call[Page[T]], number: int) -> Call[Page[T]]:
    """The call for another page of the same list."""
    return replace(first, query={**first.query, "page": str(number)})
