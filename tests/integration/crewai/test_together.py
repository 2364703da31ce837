"""With whatever else bills: everything counts once, under the outermost run."""

from __future__ import annotations

from typing import Any

import pytest
from keito_crewai import BilledCrew, BilledFlow, install, uninstall

langchain = pytest.importorskip("langchain_core")

FINAL = "Thought: I now can give a great answer\nFinal Answer: done."


def test_wrapped_twice_is_billed_once(kit: Any, make_billing: Any, bill: Any, stub: Any) -> None:
    first, second = make_billing(), make_billing()
    BilledCrew(BilledCrew(kit.crew(), first), second).kickoff()
    assert bill(first, second).tokens == [stub.tokens()]


def test_wrapped_and_installed_is_billed_once(kit: Any, billing: Any, bill: Any, stub: Any) -> None:
    install(billing)
    BilledCrew(kit.crew(), billing).kickoff()
    assert bill(billing).tokens == [stub.tokens()]


def test_installed_twice_is_billed_once_by_the_second(
    kit: Any, make_billing: Any, policy: Any, bill: Any, stub: Any
) -> None:
    from dataclasses import replace

    install(make_billing(replace(policy, agent_id="first")))
    second = install(make_billing(replace(policy, agent_id="second")))
    kit.crew().kickoff()
    found = bill(second)
    assert found.tokens == [stub.tokens()]
    assert found.time[0].metadata["agent"]["id"] == "second"


def test_an_installed_billing_sees_crews_flows_and_agents(kit: Any, billing: Any, bill: Any, stub: Any) -> None:
    from crewai.flow.flow import Flow, start

    class OneStep(Flow):  # type: ignore[misc]
        @start()
        def only(self) -> Any:
            return kit.crew().kickoff().raw

    install(billing)
    kit.crew(name="Alone").kickoff()
    kit.agent(role="Helper").kickoff("mark")
    OneStep().kickoff()
    found = bill(billing)
    assert sorted(str(entry.notes) for entry in found.time) == ["Alone", "Helper", "OneStep"]
    assert tuple(map(sum, zip(*found.tokens))) == stub.tokens()
    uninstall()
    kit.crew().kickoff()
    assert len(bill(billing).time) == 3


def test_it_listens_again_after_a_program_has_cleared_everything(
    kit: Any, make_billing: Any, policy: Any, bill: Any, stub: Any
) -> None:
    from dataclasses import replace

    from crewai.events.event_bus import crewai_event_bus
    from crewai.hooks import clear_all_llm_call_hooks

    from keito.billing import Budget
    from keito.billing.exceeded import KeitoBudgetExceeded

    billing = make_billing(replace(policy, budget=Budget(max_calls=1, stop=True)))
    crew = BilledCrew(kit.crew(kit.task(kit.agent()), kit.task(kit.agent(role="Writer"))), billing)
    with crewai_event_bus.scoped_handlers():
        clear_all_llm_call_hooks()
        with pytest.raises(KeitoBudgetExceeded):
            crew.kickoff()
    assert bill(billing).tokens == [stub.tokens()]
    clear_all_llm_call_hooks()
    with pytest.raises(KeitoBudgetExceeded):
        crew.kickoff()
    assert tuple(map(sum, zip(*bill(billing).tokens))) == stub.tokens()


def test_events_are_counted_once_however_often_they_come(kit: Any, billing: Any, bill: Any, stub: Any) -> None:
    from crewai.events.event_bus import crewai_event_bus
    from crewai.events.types.llm_events import LLMCallCompletedEvent
    from keito_crewai import listener

    repeated = []

    def again(source: Any, event: Any) -> None:
        handler = listener._handlers()[LLMCallCompletedEvent]
        handler(source, event)
        handler(source, event)
        repeated.append(event.call_id)

    with crewai_event_bus.scoped_handlers():
        crewai_event_bus.register_handler(LLMCallCompletedEvent, again)
        BilledCrew(kit.crew(), billing).kickoff()
    assert repeated
    found = bill(billing)
    assert found.tokens == [stub.tokens()]
    assert found.details["agents"][0]["calls"] == 1


def test_a_program_with_asynchronous_handlers_of_its_own(kit: Any, billing: Any, bill: Any, stub: Any) -> None:
    """CrewAI's flush() does not wait for our handlers then. What it misses comes as a supplement at the latest."""
    from crewai.events.event_bus import crewai_event_bus
    from crewai.events.types.llm_events import LLMCallCompletedEvent, LLMCallStartedEvent

    async def heard(source: Any, event: Any) -> None:
        pass

    with crewai_event_bus.scoped_handlers():
        for kind in (LLMCallStartedEvent, LLMCallCompletedEvent):
            crewai_event_bus.register_handler(kind, heard)
        BilledCrew(kit.crew(kit.task(kit.agent()), kit.task(kit.agent(role="Writer"))), billing).kickoff()
        crewai_event_bus.flush()
    models = [(expense.metadata or {})["model"] for expense in bill(billing).expenses]
    assert (sum(m["tokens_in"] for m in models), sum(m["tokens_out"] for m in models)) == stub.tokens()


def test_a_flow_that_waits_for_a_person_is_paused(kit: Any, billing: Any, bill: Any, stub: Any) -> None:
    pytest.importorskip("crewai.flow.async_feedback")
    from crewai.flow.async_feedback.types import HumanFeedbackPending
    from crewai.flow.flow import Flow, start
    from crewai.flow.human_feedback import human_feedback

    class Asks:
        def request_feedback(self, context: Any, flow: Any) -> str:
            raise HumanFeedbackPending(context=context)

    class Reviewed(Flow):  # type: ignore[misc]
        @start()
        @human_feedback(message="Is it good?", provider=Asks())
        def write(self) -> Any:
            return kit.llm().call("mark")

    result = BilledFlow(Reviewed(), billing).kickoff()
    assert isinstance(result, HumanFeedbackPending)
    found = bill(billing)
    assert found.facts["status"] == "paused"
    assert found.tokens == [stub.tokens()]


def test_a_block_around_crews_is_one_run(kit: Any, billing: Any, bill: Any, stub: Any) -> None:
    with billing.run("Whole job"):
        BilledCrew(kit.crew(), billing).kickoff()
        BilledCrew(kit.crew(), billing).kickoff()
    found = bill(billing)
    assert found.tokens == [stub.tokens()]
    assert [entry.notes for entry in found.time] == ["Whole job"]
    assert sum(row["kickoffs"] for row in found.details["crews"]) == 2


def test_a_metered_client_below_a_crew_counts_once(kit: Any, billing: Any, bill: Any, stub: Any) -> None:
    from keito.metering import meter

    llm = kit.llm()
    meter(llm._client)
    BilledCrew(kit.crew(kit.task(kit.agent(llm))), billing).kickoff()
    found = bill(billing)
    assert found.tokens == [stub.tokens()]
    assert found.facts["calls"] == 1


def langchain_model(stub: Any) -> Any:
    from langchain_openai import ChatOpenAI

    return ChatOpenAI(model="gpt-5-mini", base_url=stub.url, api_key="sk-loopback", stream_usage=True)


def test_a_langchain_tool_in_a_crew_counts_once(kit: Any, billing: Any, bill: Any, stub: Any) -> None:
    from crewai.tools import tool
    from keito_langchain import KeitoCallbackHandler

    handler = KeitoCallbackHandler(billing)

    @tool("look_up")
    def look_up(query: str) -> str:
        """Look something up."""
        return str(langchain_model(stub).invoke("chain-mark", config={"callbacks": [handler]}).content)

    stub.script.append({"name": "look_up", "arguments": {"query": "bees"}})
    BilledCrew(kit.crew(kit.task(kit.agent(tools=[look_up]))), billing).kickoff()
    found = bill(billing)
    assert len(stub.served) == 3
    assert found.tokens == [stub.tokens()]


def test_a_crew_inside_langgraph_counts_once_under_the_graph(kit: Any, billing: Any, bill: Any, stub: Any) -> None:
    graphs = pytest.importorskip("langgraph.graph")
    from keito_langchain import KeitoCallbackHandler

    def research(state: dict[str, str]) -> dict[str, str]:
        langchain_model(stub).invoke("chain-mark")
        return {"answer": BilledCrew(kit.crew(), billing).kickoff().raw}

    graph = graphs.StateGraph(dict)
    graph.add_node("research", research)
    graph.add_edge(graphs.START, "research")
    config = {"callbacks": [KeitoCallbackHandler(billing)], "run_name": "Graph"}
    assert graph.compile().invoke({"answer": ""}, config=config)["answer"] == "done."
    found = bill(billing)
    assert found.tokens == [stub.tokens()]
    assert [entry.notes for entry in found.time] == ["Graph"]
    assert found.details["agents"][0]["role"] == "Researcher"


@pytest.mark.parametrize("emits", [False, True])
def test_a_crewai_model_made_of_langchain_counts_once(
    kit: Any, billing: Any, bill: Any, stub: Any, emits: bool
) -> None:
    from crewai import BaseLLM
    from crewai.events.types.llm_events import LLMCallType
    from crewai.llms.base_llm import llm_call_context
    from keito_langchain import KeitoCallbackHandler

    handler = KeitoCallbackHandler(billing)

    class Chained(BaseLLM):  # type: ignore[misc]
        def call(self, messages: Any, *args: Any, **kwargs: Any) -> str:
            with llm_call_context():
                if emits:
                    self._emit_call_started_event(messages=messages)
                answer = langchain_model(stub).invoke("chain-mark", config={"callbacks": [handler]})
                usage = answer.usage_metadata
                if emits:
                    self._emit_call_completed_event(str(answer.content), LLMCallType.LLM_CALL, usage=usage)
                return str(answer.content)

    BilledCrew(kit.crew(kit.task(kit.agent(Chained(model="gpt-5-mini")))), billing).kickoff()
    found = bill(billing)
    assert found.tokens == [stub.tokens()]
    assert found.facts["calls"] == 1


def test_the_proxy_is_the_crew_to_its_users(kit: Any, billing: Any) -> None:
    from crewai import Crew
    from crewai.flow.flow import Flow

    crew = kit.crew(name="Research")
    billed = BilledCrew(crew, billing)
    assert isinstance(billed, Crew)
    assert (billed.name, billed.tasks, billed.key) == ("Research", crew.tasks, crew.key)
    billed.verbose = False
    assert crew.verbose is False
    assert isinstance(billed.copy(), Crew)
    assert billed.copy().billing is billing
    assert billed.billing is billing
    assert billed.flush().complete
    assert isinstance(BilledFlow(Flow(), billing), Flow)
    with pytest.raises(AttributeError):
        _ = billed.no_such_thing
    with pytest.raises(TypeError, match="not both: project_id"):
        BilledCrew(crew, billing, project_id="p")
