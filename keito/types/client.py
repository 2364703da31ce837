"""Clients: who pays."""

from datetime import datetime
from typing import Optional, Union

from keito.types.common import Model, PaymentTerm
from keito.types.given import Amount
from keito.types.request import Request


class ClientModel(Model):
    """A client of the account. `tax`, `tax2` and `discount` are percentages of invoices."""

    id: str
    name: Optional[str] = None
    address: Optional[str] = None
    currency: Optional[str] = None
    is_active: Optional[bool] = None
    payment_terms: Optional[PaymentTerm] = None
    payment_days: Optional[int] = None
    tax: Optional[float] = None
    tax2: Optional[float] = None
    discount: Optional[float] = None
    statement_key: Optional[str] = None
    created_at: Optional[datetime] = None
    updated_at: Optional[datetime] = None


class ClientUpdate(Request):
    """Changes to a client. Note the API's names: clients have `payment_terms`, invoices `payment_term`."""

    name: Optional[str] = None
    address: Optional[str] = None
    currency: Optional[str] = None
    payment_terms: Union[PaymentTerm, str, None] = None
    payment_days: Optional[int] = None
    tax: Optional[Amount] = None
    tax2: Optional[Amount] = None
    discount: Optional[Amount] = None
    is_active: Optional[bool] = None


class ClientCreate(ClientUpdate):
    """A client to add; only the name is needed. `currency` is an ISO code of three letters."""

    name: str  # pyright: ignore[reportIncompatibleVariableOverride, reportGeneralTypeIssues]
