"""Tasks: the kinds of work that time is recorded on."""

from __future__ import annotations

from keito.core.arguments import checked
from keito.core.call import Call
from keito.core.endpoint import Resource, paginated, raw_view
from keito.core.mode import AsyncRaw, Mode, SyncRaw
from keito.core.page import Page
from keito.resources.plan import pages
from keito.types.given import InstantLike, parse_instant
from keito.types.request_options import RequestOptions
from keito.types.task import Task


class Tasks(Resource[Mode]):
    """Read tasks."""

    with_raw_response: raw_view[Tasks[SyncRaw], Tasks[AsyncRaw]] = raw_view()

    @paginated
    def list(
        self,
        *,
        is_active: bool | None = None,
        project_id: str | None = None,
        updated_since: InstantLike | None = None,
        page: int = 1,
        per_page: int = 100,
        prefetch: int = 0,
        request_options: RequestOptions | None = None,
    ) -> Call[Page[Task]]:
        """Iterate over tasks.

        Args:
            is_active: Only active tasks, or only the others.
            project_id: Only tasks that time can be recorded on in this project.
            updated_since: Only tasks that changed at or after this moment; it needs a time zone.
            page: The page to start at.
            per_page: Tasks fetched at once, 1 to 2000.
            prefetch: Pages to fetch ahead of the one that is read, 0 to 64.
            request_options: Overrides for this call's requests.

        Raises:
            KeitoValidationError: An argument is not valid; nothing was sent.
        """
        return pages(
            "/tasks",
            Task,
            request_options,
            page,
            per_page,
            prefetch,
            is_active=is_active,
            project_id=project_id,
            updated_since=checked("updated_since", updated_since, parse_instant),
        )
