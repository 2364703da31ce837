"""Plain data about agents: the metadata schema and the names of outcomes. Nothing here needs pydantic."""

from collections.abc import Mapping
from decimal import Decimal
from enum import Enum
from typing import Any, Optional, Union

Amount = Union[int, float, Decimal]


class OutcomeTypes(str, Enum):
    """Names of common billable outcomes. Any other string is a valid outcome type, too."""

    TICKET_RESOLVED = "ticket_resolved"
    LEAD_QUALIFIED = "lead_qualified"
    CODE_REVIEW_COMPLETED = "code_review_completed"
    PR_MERGED = "pr_merged"
    DEPLOYMENT_COMPLETED = "deployment_completed"
    TEST_SUITE_PASSED = "test_suite_passed"
    DOCUMENT_GENERATED = "document_generated"
    DATA_PIPELINE_RUN = "data_pipeline_run"
    ALERT_TRIAGED = "alert_triaged"
    CUSTOMER_REPLY_SENT = "customer_reply_sent"
    MEETING_BOOKED = "meeting_booked"
    DATA_PROCESSED = "data_processed"
    EMAIL_SENT = "email_sent"
    INVOICE_CREATED = "invoice_created"
    WORKFLOW_COMPLETED = "workflow_completed"
    CUSTOM = "custom"

    def __str__(self) -> str:
        """The bare name, since outcome types end up in notes that clients read."""
        return self.value


class AgentMetadata:
    """Builds the metadata that Keito shows for the work of an agent."""

    @staticmethod
    def build(
        *,
        agent_id: Optional[str] = None,
        framework: Optional[str] = None,
        run_id: Optional[str] = None,
        parent_run_id: Optional[str] = None,
        trigger: Optional[str] = None,
        model_provider: Optional[str] = None,
        model_name: Optional[str] = None,
        tokens_in: Optional[int] = None,
        tokens_out: Optional[int] = None,
        cost_usd: Optional[Amount] = None,
        confidence: Optional[Amount] = None,
        human_reviewed: Optional[bool] = None,
    ) -> dict[str, Any]:
        """Return the nested metadata of an agent's entry; what is not given is left out.

        Args:
            agent_id: Which agent did the work.
            framework: What the agent is built with, such as `langchain`.
            run_id: The agent's own id of this run.
            parent_run_id: The run that started this one.
            trigger: What started the run, such as `webhook`.
            model_provider: Who served the model.
            model_name: The model's id.
            tokens_in: Input tokens, cache reads and writes included.
            tokens_out: Output tokens, reasoning included.
            cost_usd: What the model calls cost, in US dollars.
            confidence: The agent's own estimate, 0 to 1.
            human_reviewed: Whether a person has looked at the result.

        Returns:
            `{"agent": {...}, "run": {...}, "model": {...}, "quality": {...}}`, without empty groups.
        """
        groups: dict[str, Mapping[str, Any]] = {
            "agent": {"id": agent_id, "framework": framework},
            "run": {"id": run_id, "parent_id": parent_run_id, "trigger": trigger},
            "model": {
                "provider": model_provider,
                "name": model_name,
                "tokens_in": tokens_in,
                "tokens_out": tokens_out,
                "cost_usd": cost_usd,
            },
            "quality": {"confidence": confidence, "human_reviewed": human_reviewed},
        }
        given = {name: {k: v for k, v in group.items() if v is not None} for name, group in groups.items()}
        return {name: group for name, group in given.items() if group}
