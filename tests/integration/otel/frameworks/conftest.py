"""Real frameworks with offline models, or with a provider that stands on loopback."""

from __future__ import annotations

import importlib.util
import os
import sys
import tempfile
import warnings
from collections.abc import Iterator
from typing import Any

import pytest

from keito import Keito
from keito.billing import AgentBilling
from tests.integration.otel.conftest import Tracing
from tests.integration.providers import Stub, served

NEEDED = ("pydantic_ai", "agents", "crewai", "openinference", "strands", "llama_index")

if any(importlib.util.find_spec(name) is None for name in NEEDED):
    collect_ignore_glob = ["test_*.py"]  # they have a virtual environment of their own: make test-otel
else:
    HOME = tempfile.TemporaryDirectory(prefix="keito-otel-", ignore_cleanup_errors=True)
    for name in ("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"):
        os.environ[name] = HOME.name
    for name in ("CREWAI_DISABLE_TELEMETRY", "CREWAI_DISABLE_TRACKING", "OPENAI_AGENTS_DISABLE_TRACING_EXPORT", "CI"):
        os.environ[name] = "true"
    os.environ.update(
        CREWAI_TRACING_ENABLED="false",
        CREWAI_DISABLE_VERSION_CHECK="true",
        CREWAI_STORAGE_DIR=f"{HOME.name}/storage",
        ANONYMIZED_TELEMETRY="False",
        OPENAI_API_KEY="sk-loopback",
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import crewai  # noqa: F401


_THEIRS = ("DeprecationWarning", "UserWarning", "ResourceWarning", "pytest.PytestUnraisableExceptionWarning")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Frameworks and instrumentations warn of each other."""
    for item in items:
        if "frameworks" in item.path.parts:
            for kind in (
                "DeprecationWarning",
                "UserWarning",
                "ResourceWarning",
                "pytest.PytestUnraisableExceptionWarning",
            ):
                item.add_marker(pytest.mark.filterwarnings(f"ignore::{kind}"))


@pytest.fixture(autouse=True)
def no_span_around() -> Iterator[None]:
    """OpenLLMetry leaves spans behind as the current ones, which would be around the spans of the next test."""
    from opentelemetry.context import Context, attach, detach

    token = attach(Context())
    yield
    detach(token)


@pytest.fixture
def stub() -> Iterator[Stub]:
    """A provider on loopback."""
    with served() as stub:
        yield stub


@pytest.fixture
def instrumented() -> Iterator[Any]:
    """Instruments a library for a test only."""
    done: list[Any] = []

    def instrument(instrumentor: Any, **options: Any) -> None:
        instrumentor.instrument(**options)
        done.append(instrumentor)

    yield instrument
    for instrumentor in reversed(done):
        instrumentor.uninstrument()


@pytest.fixture
def openllmetry(instrumented: Any) -> Iterator[Any]:
    """Lets OpenLLMetry instrument OpenAI's client, which does not take all of that back."""
    from opentelemetry.instrumentation.openai import OpenAIInstrumentor
    from wrapt import FunctionWrapper

    yield lambda provider: instrumented(OpenAIInstrumentor(), tracer_provider=provider)
    modules = [module for name, module in sys.modules.items() if name.startswith("openai.resources")]
    for kind in {kind for module in modules for kind in vars(module).values() if isinstance(kind, type)}:
        for name, value in list(vars(kind).items()):
            if isinstance(value, FunctionWrapper):
                setattr(kind, name, value.__wrapped__)


@pytest.fixture
def installed(billing: AgentBilling, keito_client: Keito) -> Iterator[Tracing]:
    """A tracer provider and frameworks that `install` has set up."""
    import keito_otel
    from openinference.instrumentation.openai_agents import OpenAIAgentsInstrumentor
    from opentelemetry.sdk.trace import TracerProvider
    from pydantic_ai import Agent

    provider = TracerProvider(shutdown_on_exit=False)
    processor = keito_otel.install(billing, tracer_provider=provider)
    assert keito_otel.install(tracer_provider=provider) is processor
    yield Tracing(provider, processor, keito_client)
    OpenAIAgentsInstrumentor().uninstrument()
    Agent.instrument_all(False)
    provider.shutdown()
