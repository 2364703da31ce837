"""Expenses: money that was spent for a project, such as the cost of model calls."""

from datetime import date, datetime
from typing import Annotated, Any, Optional, Union

from pydantic import Field, model_validator
from typing_extensions import Self

from keito.types.common import ApprovalStatus, IdName, Model, Source
from keito.types.given import Day, Metadata, Money
from keito.types.request import Request


class Expense(Model):
    """Money that was spent for a project, in the account's currency."""

    id: str
    user_id: Optional[str] = None
    project_id: Optional[str] = None
    expense_category_id: Optional[str] = None
    user: Optional[IdName] = None
    project: Optional[IdName] = None
    expense_category: Optional[IdName] = None
    spent_date: Optional[date] = None
    total_cost: Optional[float] = None
    units: Optional[int] = None
    notes: Optional[str] = None
    billable: Optional[bool] = None
    receipt_file_name: Optional[str] = None
    receipt_content_type: Optional[str] = None
    receipt_url: Optional[str] = None
    is_locked: Optional[bool] = None
    is_billed: Optional[bool] = None
    approval_status: Optional[ApprovalStatus] = None
    source: Optional[Source] = None
    metadata: Optional[dict[str, Any]] = None
    created_at: Optional[datetime] = None
    updated_at: Optional[datetime] = None


class ExpenseCreate(Request):
    """An expense to record: its `total_cost`, or `units` of a category that has a unit price."""

    project_id: str
    expense_category_id: str
    spent_date: Day
    total_cost: Optional[Money] = None
    units: Optional[Annotated[int, Field(ge=1, strict=True)]] = None
    notes: Optional[str] = None
    billable: Optional[bool] = None
    source: Union[Source, str, None] = None
    metadata: Metadata = None

    @model_validator(mode="after")
    def _has_an_amount(self) -> Self:
        if self.total_cost is None and self.units is None:
            raise ValueError("total_cost or units: one of them must be given")
        return self
