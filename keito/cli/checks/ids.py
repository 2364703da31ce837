"""Whether the ids that agents bill to exist and can be used."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any, Optional, TypeVar, Union

from keito.cli.checks.finding import Finding, guarded, ok, problem, warning

if TYPE_CHECKING:
    from keito.client import Keito
    from keito.types.expense import Expense
    from keito.types.project import Project
    from keito.types.task import Task

    _Listed = TypeVar("_Listed", bound=Union[Project, Task])

_PAGE = 2000
_MOST_EXPENSES = 4000
"""How many expenses are looked at for a category: Keito has no list of categories."""

_MOST_NAMES = 5


def check_ids(client: Keito, policy: Mapping[str, Any]) -> Iterator[Finding]:
    """Look for the project, the task and the expense category.

    Args:
        client: Whom to ask.
        policy: The fields of the billing policy that are set.
    """
    project, task = policy.get("project_id"), policy.get("task_id")
    yield from guarded("project", _project(client, project))
    yield from guarded("task", _task(client, task, project))
    yield from guarded("expense category", _category(client, policy.get("expense_category_id")))


def _project(client: Keito, id: Optional[str]) -> Iterator[Finding]:
    if not id:
        yield problem("project", "KEITO_PROJECT_ID is not set", f"set it to one of: {_some(client.projects.list())}")
        return
    found = _find(client.projects.list(is_active=True, per_page=_PAGE), id)
    if found is not None:
        yield ok("project", _name(found))
    elif (archived := _find(client.projects.list(is_active=False, per_page=_PAGE), id)) is not None:
        yield problem("project", f"{_name(archived)} is archived", "activate it in Keito, or set KEITO_PROJECT_ID")
    else:
        advice = f"assign the key's user to it, or set KEITO_PROJECT_ID to one of: {_some(client.projects.list())}"
        yield problem("project", f"the key's user sees no project {id}", advice)


def _task(client: Keito, id: Optional[str], project: Optional[str]) -> Iterator[Finding]:
    found = _find(client.tasks.list(project_id=project, per_page=_PAGE), id)
    elsewhere = found or _find(client.tasks.list(per_page=_PAGE), id)
    if found is not None and found.is_active is not False:
        yield ok("task", _name(found))
        return
    usable = f"set KEITO_TASK_ID to one of: {_some(_tasks_of(client, project))}"
    if not id:
        yield problem("task", "KEITO_TASK_ID is not set", usable)
    elif elsewhere is None:
        yield problem("task", f"there is no task {id} in this account", usable)
    elif elsewhere.is_active is False:
        yield problem("task", f"{_name(elsewhere)} is archived", usable)
    else:
        yield problem("task", f"{_name(elsewhere)} is not assigned to project {project}", f"assign it, or {usable}")


def _tasks_of(client: Keito, project: Optional[str]) -> Iterable[Task]:
    """The tasks of a project; of the account where the project is unknown or has none."""
    return [*islice(client.tasks.list(project_id=project), _MOST_NAMES + 1)] or client.tasks.list()


def _category(client: Keito, id: Optional[str]) -> Iterator[Finding]:
    expenses = islice(client.expenses.list(per_page=_PAGE), _MOST_EXPENSES)
    known = {_category_of(expense): expense for expense in expenses}
    if id and id in known:
        yield ok("expense category", f"{_category_name(known[id])} ({id}) is on an expense of this account")
        return
    seen = ", ".join(f"{_category_name(expense)} ({known_id})" for known_id, expense in known.items() if known_id)
    look = f"on expenses there are: {seen}" if seen else "no expense is there yet to compare with"
    if not id:
        text = "KEITO_EXPENSE_CATEGORY_ID is not set: what model calls cost is not billed"
        yield warning("expense category", text, f'set it to the id of the category "LLM Usage"; {look}')
    else:
        text = f"{id} is on no expense that was looked at, and Keito has no list of categories: nobody can tell"
        yield warning("expense category", text, f"compare the id with the one in Keito; {look}")


def _category_of(expense: Expense) -> Optional[str]:
    return expense.expense_category_id or (expense.expense_category.id if expense.expense_category else None)


def _category_name(expense: Expense) -> str:
    return (expense.expense_category.name if expense.expense_category else None) or "unnamed"


def _find(listed: Iterable[_Listed], id: Optional[str]) -> Optional[_Listed]:
    return next((one for one in listed if one.id == id), None)


def _some(listed: Iterable[_Listed]) -> str:
    names = [_name(one) for one in islice(listed, _MOST_NAMES + 1)]
    return ", ".join([*names[:_MOST_NAMES], *(["..."] if len(names) > _MOST_NAMES else [])]) or "(none found)"


def _name(one: Union[Project, Task]) -> str:
    return f"{one.name} ({one.id})" if one.name else one.id
