"""A web endpoint that streams an agent's answer, with one bill for each request.

    pip install -e ".[examples]"
    python examples/fastapi_stream.py

It runs as it is: it serves on this machine, asks itself three times, and reads the bills from a Keito of its own.
See local_keito.py for how it bills to your account.
"""

import asyncio
import logging
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from local_keito import keito_account, stop
from offline_model import OfflineModel

try:
    import uvicorn
    from fastapi import FastAPI, Header
    from fastapi.responses import StreamingResponse
    from keito_langchain import KeitoCallbackHandler
    from langchain_core.runnables import RunnableConfig, RunnableLambda
except ImportError as error:
    stop(f'This needs Python 3.10 or newer, and: pip install -e ".[examples]" ({error})')

import httpx

from keito import Keito
from keito.billing import Outcome

agent = RunnableLambda(str) | OfflineModel(answer="The parcel arrives on Tuesday between nine and eleven.")


def make_app(handler: KeitoCallbackHandler) -> FastAPI:
    """The service. One handler serves all requests at a time."""
    app = FastAPI()

    @app.get("/answer")
    async def answer(question: str, x_conversation: str = Header(default="none")) -> StreamingResponse:
        config: RunnableConfig = {
            "callbacks": [handler],
            "run_name": f"Question: {len(question)} characters",
            "metadata": {"keito_session_id": x_conversation, "keito_trigger": "web"},
        }

        async def words() -> AsyncIterator[str]:
            # The bill is written when the stream ends, also where the reader goes away before that.
            async for chunk in agent.astream(question, config):
                yield str(chunk.content)

        return StreamingResponse(words(), media_type="text/plain")

    return app


@asynccontextmanager
async def served(app: FastAPI) -> AsyncIterator[str]:
    """The service on a free port of this machine."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await serving
        listener.close()


async def ask(url: str, number: int) -> None:
    """One client of the service."""
    headers = {"X-Conversation": f"conversation-{number}"}
    async with httpx.AsyncClient(trust_env=False, timeout=60) as http:
        answer = await http.get(f"{url}/answer?question=Where+is+it", headers=headers)
    print(f"  {number}: {answer.text}")


async def work(handler: KeitoCallbackHandler) -> None:
    async with served(make_app(handler)) as url:
        await asyncio.gather(*(ask(url, number) for number in (1, 2, 3)))


def main() -> int:
    with keito_account("KEITO_EXPENSE_CATEGORY_ID") as where:
        print(f"A service answers three questions at a time, billed to {where}.\n")
        handler = KeitoCallbackHandler(outcome=Outcome("question_answered", unit_price="0.05"))
        asyncio.run(work(handler))
        report = handler.flush()
        with Keito() as keito:
            entries = list(keito.time_entries.list(source="agent"))
        print()
        for session in sorted({(entry.metadata or {})["session_id"] for entry in entries}):
            about = [entry.metadata or {} for entry in entries if (entry.metadata or {})["session_id"] == session]
            prices = [item["outcome_unit_price"] for item in about if "outcome_type" in item]
            tokens = sum(item.get("model", {}).get("tokens_in", 0) for item in about)
            print(f"  {session}: {len(prices)} outcome at ${sum(prices):.2f}, {tokens:,} tokens in")
        handler.billing.close()
        return 0 if report.complete else 1


if __name__ == "__main__":
    logging.basicConfig(format="%(levelname)s: %(message)s")
    sys.exit(main())
