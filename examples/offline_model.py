"""A chat model for the examples, which needs no key and no network. Your own programs use a real one."""

from collections.abc import Iterator
from typing import Any

from local_keito import stop

try:
    from langchain_core.language_models import BaseChatModel, LangSmithParams
    from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
    from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
except ImportError as error:
    stop(f'This needs Python 3.10 or newer, and: pip install -e ".[examples]" ({error})')


class OfflineModel(BaseChatModel):
    """Gives the same answer every time, and counts tokens as the provider does that it stands in for."""

    answer: str = "It is done."
    tokens_in: int = 1_200
    tokens_out: int = 80

    @property
    def _llm_type(self) -> str:
        return "offline"

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
        return LangSmithParams(ls_provider="openai", ls_model_name="gpt-5-mini", ls_model_type="chat")

    def _counted(self) -> dict[str, Any]:
        total = self.tokens_in + self.tokens_out
        return {
            "usage_metadata": {
                "input_tokens": self.tokens_in,
                "output_tokens": self.tokens_out,
                "total_tokens": total,
            },
            "response_metadata": {"model_name": "gpt-5-mini-2025-08-07", "model_provider": "openai"},
        }

    def _generate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        message = AIMessage(self.answer, **self._counted())
        return ChatResult(generations=[ChatGeneration(message=message)])

    def _stream(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> Iterator[ChatGenerationChunk]:
        for word in self.answer.split(" "):
            yield ChatGenerationChunk(message=AIMessageChunk(content=f"{word} "))
        yield ChatGenerationChunk(message=AIMessageChunk(content="", **self._counted()))
