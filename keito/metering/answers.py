"""Two reports of one answer of a model, known as one."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime, timezone
from functools import lru_cache
from typing import NamedTuple, Optional, Union

from keito.metering.call import LLMCall

IDS_KEPT = 4096
"""Ids of answers by which a second report of a call is recognised; beyond it the oldest are forgotten."""

_MOST_ALIKE = 16
"""Different answers with the same id that are told apart; beyond it the oldest are forgotten."""

_LEAST_SPECIFIC = 12
"""Letters and digits of an id that no other answer has. Ollama draws `chatcmpl-` and a number below 1,000."""

_MOST_COUNTED = 20
"""The same of digits alone: nanoseconds since 1970 have 19."""

_FIRST = datetime.min.replace(tzinfo=timezone.utc)
"""When a call began at the earliest."""

_KIND = re.compile(r"^[a-z]+[-_]")
_PROVIDERS = re.compile(r"^(?:[a-z]{2,}\.)+(?=[a-z])")
_EDITION = re.compile(r"(?:[-@](?:\d{4}-\d{2}-\d{2}|\d{3,8}|latest))?(?:-v\d+)?(?::.*)?$")


class _Told(NamedTuple):
    """What tells one call from others with the same id."""

    models: tuple[Optional[str], ...]
    counts: Optional[tuple[int, int]]
    began: Optional[datetime]
    ended: Optional[datetime]

    @classmethod
    def by(cls, call: LLMCall) -> _Told:
        usage = call.usage
        counts = None if usage is None else (usage.input_tokens, usage.output_tokens)
        return cls((call.served_model, call.requested_model), counts, call.started_at, call.ended_at)


@lru_cache(maxsize=1024)
def _of_model(*models: Optional[str]) -> _Told:
    """For all calls of a model whose id tells them apart: how many tokens they had makes no difference then."""
    return _Told(models, (0, 0), None, None)


class Seen:
    """What is remembered of a reported call.

    Attributes:
        place: Its place among the calls that a run keeps; `None` when it can be changed no longer.
        by: Which integration has reported it, or several: a tuple for each of thousands would cost memory.
    """

    __slots__ = ("_about", "by", "place")

    def __init__(self, call: LLMCall, place: Optional[int], by: Optional[str] = None) -> None:
        self.by: Union[str, tuple[str, ...], None] = by
        self.place = place
        self._about: Union[LLMCall, _Told] = call
        if place is None:
            self._shrink(call)

    def is_known_to(self, by: Optional[str]) -> bool:
        """Whether this integration has reported it, which does so once: what it reports now is another call."""
        return by is not None and (by == self.by or (isinstance(self.by, tuple) and by in self.by))

    def told_by(self, by: Optional[str]) -> None:
        """This integration has reported it, too."""
        known = () if self.by is None else (self.by,) if isinstance(self.by, str) else self.by
        self.by = known if by is None else (*known, by)

    def learn(self, call: LLMCall, place: Optional[int]) -> None:
        """Remember this of it from now on. A call that the run keeps is in memory anyway."""
        self.place, self._about = place, call
        if place is None:
            self._shrink(call)

    @property
    def is_counted(self) -> bool:
        """Whether its tokens are known."""
        return self._told.counts is not None

    def is_reported_by(self, call: LLMCall, forgotten: Optional[datetime] = None) -> bool:
        """Whether `call`, which has the same id, is a report of the same answer.

        Args:
            call: The report.
            forgotten: When the last of the calls had ended whose times are remembered no longer.
        """
        one, other = self._told, _Told.by(call)
        if one.ended is None:
            one = one._replace(began=_FIRST, ended=forgotten)
        if not _agree(one.models, other.models) or _are_apart(one, other):
            return False
        if is_specific(call.response_id or ""):
            return True
        if one.counts is None or other.counts is None:  # a report lasts as long as the call, or longer
            return _is_before(one.began, other.ended) and _is_before(other.began, one.ended)
        return one.counts == other.counts

    def _shrink(self, call: LLMCall) -> None:
        """Of thousands every byte counts, and those with tokens hardly need their times."""
        self._about = told = _Told.by(call)
        if told.counts is not None:
            is_enough = is_specific(call.response_id or "")
            self._about = _of_model(*told.models) if is_enough else told._replace(began=None, ended=None)

    @property
    def _told(self) -> _Told:
        return _Told.by(self._about) if isinstance(self._about, LLMCall) else self._about


class Answers:
    """Recognises calls that are reported a second time, by a metered client below a framework for instance.

    Reports of one answer have the same id, and name the same model, each in its own way. Who reports it is inside of
    another one that does, so that they last at the same time: a test server, a recording or a cache of a gateway gives
    one id to calls that follow each other. Small servers draw ids from a few numbers: there, the same tokens are
    needed, too, or surely the same time where one of the two reports has none.

    Attributes:
        repeated: How many reports were second ones.
    """

    def __init__(self) -> None:
        self.repeated = 0
        self._seen: dict[str, Union[Seen, tuple[Seen, ...]]] = {}
        self._forgotten: Optional[datetime] = None

    def find(self, call: LLMCall, by: Optional[str] = None) -> Optional[Seen]:
        """What is known of the call, if it was reported before.

        An answer of a response cache has the id of the answer that it repeats, and is a call of its own.

        Args:
            call: The report.
            by: Which integration reports it, if it reports each call once.
        """
        if call.response_id is None or call.response_id not in self._seen or call.cached:
            return None
        alike = (seen for seen in self._alike(call.response_id) if not seen.is_known_to(by))
        return next((seen for seen in alike if seen.is_reported_by(call, self._forgotten)), None)

    def remember(self, call: LLMCall, place: Optional[int], by: Optional[str] = None) -> None:
        """Remember a call that was not reported before. The arguments are those of `find`."""
        if call.response_id is None or call.cached:
            return
        seen = Seen(call, place, by)
        if place is None:
            self._forget_times(call)
        if call.response_id in self._seen:
            alike = self._alike(call.response_id)
            self._seen[call.response_id] = (*alike[1 - _MOST_ALIKE :], seen)
        else:
            self._seen[call.response_id] = seen
        if len(self._seen) > IDS_KEPT:
            del self._seen[next(iter(self._seen))]

    def learn(self, seen: Seen, call: LLMCall, place: Optional[int]) -> None:
        """From now on, remember this of a call that was reported before."""
        seen.learn(call, place)
        if place is None:
            self._forget_times(call)

    def seal(self) -> None:
        """From now on nothing that is recorded can be changed: it is being billed."""
        for answer in self._seen:
            for seen in self._alike(answer):
                seen.place = None

    def _forget_times(self, call: LLMCall) -> None:
        """One moment has to do for all calls whose own times would take too much memory."""
        if call.ended_at.tzinfo is not None:
            ended = self._forgotten
            self._forgotten = call.ended_at if ended is None else max(ended, call.ended_at)

    def _alike(self, answer: str) -> tuple[Seen, ...]:
        found = self._seen.get(answer, ())
        return (found,) if isinstance(found, Seen) else found  # ids that are not unique are rare


def joined(first: LLMCall, second: LLMCall) -> LLMCall:
    """What two reports of one call say together. The fuller one counts; the other tells what that one leaves out."""
    has_more = second.usage is not None and (first.usage is None or (first.partial and not second.partial))
    fuller, other = (second, first) if has_more else (first, second)
    return replace(
        fuller,
        started_at=first.started_at,
        provider=fuller.provider or other.provider,
        requested_model=fuller.requested_model or other.requested_model,
        served_model=fuller.served_model or other.served_model,
        tier=fuller.tier or other.tier,
        reported_cost=other.reported_cost if fuller.reported_cost is None else fuller.reported_cost,
    )


def _agree(models: tuple[Optional[str], ...], others: tuple[Optional[str], ...]) -> bool:
    """Whether these may be names of one model: a framework may only know the alias, and a client what it stands for."""
    bases = {_base(name) for name in models if name}
    return not bases or not any(others) or any(_base(name) in bases for name in others if name)


@lru_cache(maxsize=1024)
def _base(name: str) -> str:
    """The model's name without whose it is and which edition: `us.anthropic.claude-sonnet-4-20250514-v1:0`."""
    plain = _PROVIDERS.sub("", str(name).strip().lower().rpartition("/")[2])
    return _EDITION.sub("", plain) or plain


def is_specific(answer: str) -> bool:
    """Whether nobody else can have this id. Numbers that count, or that tell the time, are not enough."""
    end = answer[-_LEAST_SPECIFIC:]
    if len(end) == _LEAST_SPECIFIC and end.isascii() and end.isalnum() and not end.isdigit():
        return True  # as nearly all providers draw them
    drawn = re.sub(r"[^0-9A-Za-z]", "", _KIND.sub("", answer))
    return len(drawn) >= (_MOST_COUNTED if drawn.isdigit() else _LEAST_SPECIFIC)


def _are_apart(one: _Told, other: _Told) -> bool:
    """Whether one call had ended when the other began, as far as both tell."""
    times, others = _lasted(one), _lasted(other)
    return times is not None and others is not None and (times[1] <= others[0] or others[1] <= times[0])


def _lasted(told: _Told) -> Optional[tuple[datetime, datetime]]:
    """From when until when. Who reports by hand tells one moment only, and a clock that was set back tells nothing."""
    began, ended = told.began, told.ended
    if began is None or ended is None or began.tzinfo is None or ended.tzinfo is None or ended <= began:
        return None
    return began, ended


def _is_before(moment: Optional[datetime], other: Optional[datetime]) -> bool:
    return moment is not None and other is not None and _aware(moment) <= _aware(other)


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=timezone.utc)
