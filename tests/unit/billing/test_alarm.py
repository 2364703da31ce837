from collections.abc import Callable
from datetime import datetime, timedelta, timezone

import pytest

from keito.billing.alarm import Alarm

Eventually = Callable[[Callable[[], bool]], None]


def test_an_alarm_that_is_set_again_by_what_it_calls_rings_again(
    eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("keito.billing.alarm._GRACE", 0.0)
    monkeypatch.setattr("keito.billing.alarm._LONGEST", 0.01)  # it looks again long before the moment
    moment, rings = datetime.now(timezone.utc) + timedelta(days=1), list[bool]()

    def ring() -> None:
        rings.append(True)
        alarm.set(moment if len(rings) < 3 else None)

    alarm = Alarm(ring)
    alarm.set(moment)
    eventually(lambda: len(rings) == 3)


def test_an_alarm_that_is_switched_off_stays_silent(eventually: Eventually, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("keito.billing.alarm._GRACE", 0.0)
    rings = list[str]()
    off, on = Alarm(lambda: rings.append("off")), Alarm(lambda: rings.append("on"))
    soon = datetime.now(timezone.utc) + timedelta(seconds=0.2)
    off.set(soon)
    on.set(soon + timedelta(seconds=0.2))
    off.set(None)
    eventually(lambda: bool(rings))
    assert rings == ["on"]
