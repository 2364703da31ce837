"""Projects: what clients are billed for."""

from __future__ import annotations

from collections.abc import Sequence

from keito.core.answer import reader
from keito.core.arguments import checked
from keito.core.call import Call
from keito.core.endpoint import Resource, endpoint, paginated, raw_view
from keito.core.mode import AsyncRaw, Mode, SyncRaw
from keito.core.page import Page
from keito.resources.plan import pages, post
from keito.types.given import NOT_GIVEN, InstantLike, NotGiven, parse_instant
from keito.types.project import Project, ProjectCreate
from keito.types.request_options import RequestOptions


class Projects(Resource[Mode]):
    """Open and read projects."""

    with_raw_response: raw_view[Projects[SyncRaw], Projects[AsyncRaw]] = raw_view()

    @paginated
    def list(
        self,
        *,
        is_active: bool | None = None,
        client_id: str | None = None,
        updated_since: InstantLike | None = None,
        page: int = 1,
        per_page: int = 100,
        prefetch: int = 0,
        request_options: RequestOptions | None = None,
    ) -> Call[Page[Project]]:
        """Iterate over projects; members see those that they are assigned to.

        Args:
            is_active: The server's default is active projects only.
            client_id: Only this client's projects.
            updated_since: Only projects that changed at or after this moment; it needs a time zone.
            page: The page to start at.
            per_page: Projects fetched at once, 1 to 2000.
            prefetch: Pages to fetch ahead of the one that is read, 0 to 64.
            request_options: Overrides for this call's requests.

        Raises:
            KeitoValidationError: An argument is not valid; nothing was sent.
        """
        return pages(
            "/projects",
            Project,
            request_options,
            page,
            per_page,
            prefetch,
            is_active=is_active,
            client_id=client_id,
            updated_since=checked("updated_since", updated_since, parse_instant),
        )

    @endpoint
    def create(
        self,
        *,
        client_id: str,
        name: str,
        code: str | NotGiven | None = NOT_GIVEN,
        notes: str | NotGiven | None = NOT_GIVEN,
        is_billable: bool | NotGiven | None = NOT_GIVEN,
        bill_by: str | NotGiven | None = NOT_GIVEN,
        budget_by: str | NotGiven | None = NOT_GIVEN,
        task_ids: Sequence[str] | NotGiven | None = NOT_GIVEN,
        request_options: RequestOptions | None = None,
    ) -> Call[Project]:
        """Open a project. The endpoint is used by Keito's own CLI, though its OpenAPI document does not list it.

        Args:
            client_id: Who pays.
            name: The project's name.
            code: A short code, unique in the account.
            notes: Anything to remember about it.
            is_billable: Whether its time is billed.
            bill_by: How rates are chosen, such as `PROJECT` or `NONE`.
            budget_by: How the budget is counted, such as `PROJECT` or `NONE`.
            task_ids: The tasks that time may be recorded on.
            request_options: Overrides for this call.

        Raises:
            KeitoConflictError: The code is taken.
            KeitoForbiddenError: The user may not open projects.
        """
        return post(
            "/projects",
            reader(Project),
            request_options,
            ProjectCreate,
            client_id=client_id,
            name=name,
            code=code,
            notes=notes,
            is_billable=is_billable,
            bill_by=bill_by,
            budget_by=budget_by,
            task_ids=task_ids,
        )
