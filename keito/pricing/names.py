"""Names of providers and models, as programs, frameworks and gateways write them, brought to one form."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Optional

_ALIASES = {
    "anthropic": "anthropic claude",
    "aws": "aws amazon amazon_bedrock anthropic_bedrock aws_bedrock bedrock bedrock_converse",
    "azure": "azure azure_ai azure_ai_inference azure_ai_openai azure_openai az_ai_inference az_ai_openai",
    "cerebras": "cerebras",
    "cohere": "cohere",
    "deepseek": "deepseek",
    "fireworks": "fireworks fireworks_ai",
    "google": (
        "google google_ai google_anthropic_vertex google_genai google_vertex google_vertexai gemini anthropic_vertex "
        "gcp_gemini gcp_gen_ai gcp_vertex_ai vertex vertex_ai vertex_ai_beta vertexai"
    ),
    "groq": "groq",
    "mistral": "mistral mistral_ai mistralai",
    "moonshotai": "moonshot moonshotai",
    "openai": "openai",
    "openrouter": "openrouter",
    "perplexity": "perplexity",
    "together": "together together_ai togetherai",
    "voyageai": "voyage voyageai",
    "x-ai": "x_ai xai",
}
"""The provider, and what LangChain, CrewAI, LiteLLM and OpenTelemetry call it, with `_` for any punctuation."""

_PROVIDERS = {alias: provider for provider, aliases in _ALIASES.items() for alias in aliases.split()}
_GATEWAYS = {None, "litellm", "litellm_proxy", "openai"}
"""Providers under whose name a gateway may stand. Others (Groq, Together, OpenRouter) have slashes in real ids."""

_FINE_TUNED = re.compile(r"(^|[/.:])ft[:-]|custom-model|imported-model|^tunedmodels/|/endpoints/\d", re.IGNORECASE)
_VERTEX = re.compile(r"^(?:projects/[^/]+/locations/([^/]+)/)?publishers/[^/]+/models/")
_ARN = re.compile(r"^arn:aws[^:]*:bedrock:([^:]*):[^:]*:(?:foundation-model|inference-profile)/(.+)$")
_AREA = re.compile(r"^(af|apac|au|ca|eu|global|il|in|jp|me|mx|sa|us|us-gov)\.")
_AWS_REGION = re.compile(r"^(af|ap|ca|eu|il|me|mx|sa|us-gov|us)-[a-z]+-\d+$")
_VENDORS = (
    "ai21|amazon|anthropic|cohere|deepseek|google|meta|minimax|mistral|moonshot(?:ai)?|nvidia|openai|qwen|writer|zai"
)
_BEDROCK = re.compile(rf"^(?:[a-z-]+\.)?({_VENDORS})\.[a-z]")
BEDROCK_VERSION = re.compile(r"-v(\d+)(?::(\d))?(?::\d+k)?$|:(\d)$")
_VENDOR = re.compile(rf"^({_VENDORS})\.")


@dataclass(frozen=True)
class ModelName:
    """Who serves a model, and its id there.

    Attributes:
        provider: The provider's id in the price table, such as `x-ai`; `None` when nobody said it.
        model: The model's id, without the prefixes of gateways and in lower case.
        area: Where Amazon Bedrock or Vertex AI runs it, such as `eu` or `global`, as far as the name says it.
    """

    provider: Optional[str]
    model: str
    area: Optional[str] = None

    @property
    def on_bedrock(self) -> tuple[str, ...]:
        """The model without what Amazon Bedrock puts around it: version, area and vendor, one after the other."""
        if self.provider != "aws":
            return ()
        unversioned = BEDROCK_VERSION.sub("", self.model)
        nowhere = _AREA.sub("", unversioned)
        return unversioned, nowhere, _VENDOR.sub("", nowhere), _AREA.sub("", self.model)


def is_fine_tuned(model: str) -> bool:
    """Whether the name is of a fine-tuned or imported model, which costs otherwise than its base model."""
    return _FINE_TUNED.search(model) is not None


def provider_id(name: Optional[str]) -> Optional[str]:
    """The price table's id of a provider, under whatever name frameworks know it.

    >>> provider_id("google_genai"), provider_id("aws.bedrock"), provider_id("acme")
    ('google', 'aws', 'acme')
    """
    if name is None or not name.strip():
        return None
    plain = name.strip().lower()
    alias = re.sub(r"[-. /]", "_", plain)
    return _PROVIDERS.get(re.sub(r"_(chat|llm)$", "", alias), plain)


@lru_cache(maxsize=4096)
def normalise(provider: Optional[str], model: str) -> ModelName:
    """The provider, model and area that are meant by these names.

    >>> normalise("openai", "azure/gpt-4o")
    ModelName(provider='azure', model='gpt-4o', area=None)
    >>> normalise(None, "arn:aws:bedrock:eu-west-1::foundation-model/amazon.nova-lite-v1:0")
    ModelName(provider='aws', model='amazon.nova-lite-v1:0', area='eu')
    >>> normalise("groq", "openai/gpt-oss-120b")
    ModelName(provider='groq', model='openai/gpt-oss-120b', area=None)
    """
    name = _without_gateway(ModelName(provider_id(provider), model.strip()))
    name = _on_bedrock(_on_vertex(name))
    if name.provider == "fireworks" and "/" not in name.model:
        name = replace(name, model=f"accounts/fireworks/models/{name.model}")
    gateway = name.provider in _GATEWAYS and name.provider != "openai"
    return ModelName(None if gateway else name.provider, name.model.lower(), name.area)


def _without_gateway(name: ModelName) -> ModelName:
    """`openrouter/openai/gpt-5` is OpenRouter's `openai/gpt-5`, and `azure/gpt-4o` is Azure's `gpt-4o`."""
    prefix, slash, rest = name.model.partition("/")
    if not slash:
        return name
    meant = prefix.lower() if prefix.lower() in _GATEWAYS else _PROVIDERS.get(re.sub(r"[-.]", "_", prefix.lower()))
    if meant is None or not (name.provider in _GATEWAYS or name.provider == meant):
        return name
    found = replace(name, provider=meant, model=rest)
    return _without_gateway(found) if meant.startswith("litellm") else found


def _on_vertex(name: ModelName) -> ModelName:
    found = _VERTEX.match(name.model)
    if found is not None:
        return replace(name, provider="google", model=name.model[found.end() :], area=found[1] or name.area)
    return replace(name, model=re.sub(r"^models/", "", name.model))


def _on_bedrock(name: ModelName) -> ModelName:
    """Bedrock's ids carry the vendor, often an area before it, sometimes a whole ARN around it."""
    model, area = name.model, name.area
    arn = _ARN.match(model)
    if arn is not None:
        area, model = _area_of(arn[1]), arn[2]
    vendor = _BEDROCK.match(model.lower())
    theirs = vendor is not None and (name.provider in _GATEWAYS or name.provider == provider_id(vendor[1]))
    if not (arn or theirs or name.provider == "aws"):
        return name
    while "/" in model and not model.startswith("arn:"):  # LiteLLM: converse/..., eu-central-1/...
        prefix, _, model = model.partition("/")
        area = _area_of(prefix) or area
    named = _AREA.match(model.lower())
    return ModelName("aws", model, named[1] if named else area)


def _area_of(region: str) -> Optional[str]:
    found = _AWS_REGION.match(region)
    return None if found is None else {"ap": "apac"}.get(found[1], found[1])
