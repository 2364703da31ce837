"""What stands for a crew, flow or agent does all that the thing does, and keeps nothing of it alive."""

from __future__ import annotations

import copy
import gc
import weakref
from typing import Any

import pytest
from keito_crewai import BilledCrew, BilledFlow, billed_agent


def conversation(kit: Any) -> Any:
    from crewai.flow.flow import Flow, listen

    if not hasattr(Flow, "handle_turn"):
        pytest.skip("this CrewAI has no conversations")

    class Chat(Flow):  # type: ignore[misc]
        conversational = True

        @listen("converse")
        def answer(self) -> Any:
            return kit.llm().call("mark")

    return Chat()


def test_a_message_to_an_agent_is_billed(kit: Any, billing: Any, bill: Any, stub: Any) -> None:
    agent = kit.agent()
    if not hasattr(agent, "message"):
        pytest.skip("agents of this CrewAI take no messages")
    assert billed_agent(agent, billing).message("mark") == "done."
    assert bill(billing).tokens == [stub.tokens("mark")]


def test_a_turn_of_a_conversation_is_billed(kit: Any, billing: Any, bill: Any, stub: Any) -> None:
    BilledFlow(conversation(kit), billing).handle_turn("hello")
    assert stub.served
    assert bill(billing).tokens == [stub.tokens()]


def test_a_streamed_turn_of_a_conversation_is_billed(kit: Any, billing: Any, bill: Any, stub: Any) -> None:
    for _ in BilledFlow(conversation(kit), billing).stream_turn("hello"):
        pass
    assert stub.served
    assert bill(billing).tokens == [stub.tokens()]


@pytest.mark.parametrize(
    "copied", [copy.copy, lambda crew: crew.copy(), lambda crew: crew.model_copy()], ids=["copy", "own", "pydantic"]
)
def test_a_copy_is_billed_like_the_crew(kit: Any, billing: Any, bill: Any, stub: Any, copied: Any) -> None:
    copied(BilledCrew(kit.crew(), billing)).kickoff()
    assert stub.served
    assert bill(billing).tokens == [stub.tokens()]


def test_a_deep_copy_of_a_flow_is_billed_like_the_flow(kit: Any, billing: Any, bill: Any, stub: Any) -> None:
    from crewai.flow.flow import Flow, start

    class OneStep(Flow):  # type: ignore[misc]
        def __deepcopy__(self, memo: Any) -> Any:
            return type(self)()

        @start()
        def only(self) -> Any:
            return kit.llm().call("mark")

    copy.deepcopy(BilledFlow(OneStep(), billing)).kickoff()
    assert bill(billing).tokens == [stub.tokens("mark")]


def test_the_copy_of_an_agent_is_billed_like_the_agent(kit: Any, billing: Any, bill: Any, stub: Any) -> None:
    billed_agent(kit.agent(), billing).copy().kickoff("mark")
    assert bill(billing).tokens == [stub.tokens("mark")]


def test_nothing_of_a_crew_outlives_its_use(kit: Any, billing: Any, bill: Any) -> None:
    from crewai.events.event_bus import crewai_event_bus

    def use() -> list[weakref.ref[Any]]:
        crew = kit.crew()
        result = BilledCrew(crew, billing).kickoff()
        return [weakref.ref(thing) for thing in (crew, crew.agents[0], crew.tasks[0], result)]

    kept = use()
    assert len(bill(billing).time) == 1
    crewai_event_bus.flush()
    gc.collect()
    assert [thing() for thing in kept] == [None] * 4
