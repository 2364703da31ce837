from typing import Optional

import pytest

from keito import (
    KeitoApiError,
    KeitoConnectionError,
    KeitoServerError,
    KeitoTimeoutError,
)
from keito.outbox.fate import Fate, advice, fate_after


@pytest.mark.parametrize(
    ("status", "fate"),
    [
        (400, Fate.DEAD),
        (401, Fate.HELD),
        (402, Fate.HELD),
        (403, Fate.HELD),
        (404, Fate.HELD),
        (405, Fate.DEAD),
        (408, Fate.UNSURE),
        (409, Fate.DEAD),
        (413, Fate.DEAD),
        (422, Fate.DEAD),
        (429, Fate.HELD),
        (302, Fate.UNSURE),
        (500, Fate.UNSURE),
        (503, Fate.UNSURE),
        (None, Fate.UNSURE),
    ],
)
def test_the_status_decides(status: Optional[int], fate: Fate) -> None:
    error = KeitoApiError("x", status_code=status)
    assert fate_after(error) is fate
    assert advice(fate, error)


@pytest.mark.parametrize(
    ("error", "fate"),
    [
        (KeitoTimeoutError("x"), Fate.UNSURE),
        (KeitoTimeoutError("x", sent=False), Fate.PENDING),
        (KeitoConnectionError("x"), Fate.UNSURE),
        (KeitoConnectionError("x", sent=False), Fate.PENDING),
        (KeitoServerError("x"), Fate.UNSURE),
        (RuntimeError("a bug"), Fate.UNSURE),
    ],
)
def test_only_what_the_server_cannot_have_seen_is_pending(error: Exception, fate: Fate) -> None:
    assert fate_after(error) is fate
