"""An HTTP server that answers like the Keito API as fast as Python can, so that what is measured is the client.

Run as `python stub.py [--latency SECONDS]`; prints its port. GET lists hold 100,000 entries of about 800 bytes.
"""

import argparse
import asyncio
import json
import sys
from functools import cache
from urllib.parse import parse_qs, urlsplit

TOTAL = 100_000


def entry(number: int) -> "dict[str, object]":
    """A time entry like the API's."""
    return {
        "id": f"cm{number:022d}",
        "user_id": "cmuser0000000000000000001",
        "project_id": "cmproject00000000000000001",
        "task_id": "cmtask00000000000000000001",
        "user": {"id": "cmuser0000000000000000001", "name": "Support agent"},
        "project": {"id": "cmproject00000000000000001", "name": "Customer support"},
        "task": {"id": "cmtask00000000000000000001", "name": "Tickets"},
        "spent_date": "2026-03-05",
        "hours": 1.5,
        "notes": f"Resolved ticket {number}",
        "is_running": False,
        "timer_started_at": None,
        "started_time": None,
        "ended_time": None,
        "is_locked": False,
        "is_closed": False,
        "is_billed": False,
        "billable": True,
        "budgeted": True,
        "billable_rate": 150.0,
        "cost_rate": None,
        "source": "agent",
        "metadata": {"agent": {"id": "support-agent"}, "run": {"id": f"run-{number}"}},
        "created_at": "2026-03-05T10:00:00.000Z",
        "updated_at": "2026-03-05T10:00:00.000Z",
    }


def answer_with(body: bytes) -> bytes:
    """A whole HTTP answer."""
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


ANSWER_TO_POST = answer_with(json.dumps(entry(1)).encode())


@cache
def answer_to_get(line: bytes) -> bytes:
    """The answer to a list's request line."""
    query = parse_qs(urlsplit(line.split(b" ")[1].decode()).query)
    return answer_with(page(int(query.get("page", ["1"])[0]), int(query.get("per_page", ["100"])[0])))


@cache
def page(number: int, per_page: int) -> bytes:
    """One page of the list."""
    first = (number - 1) * per_page
    return json.dumps(
        {
            "time_entries": [entry(n) for n in range(first, min(first + per_page, TOTAL))],
            "per_page": per_page,
            "total_pages": -(-TOTAL // per_page),
            "total_entries": TOTAL,
            "page": number,
            "links": {"first": "/api/v2/time_entries?page=1", "next": None, "previous": None, "last": None},
        }
    ).encode()


class Stub(asyncio.Protocol):
    """Answers whole requests, one after the other."""

    def __init__(self, latency: float) -> None:
        self.latency = latency
        self.pending = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.pending += data
        while True:
            head, separator, rest = self.pending.partition(b"\r\n\r\n")
            if not separator:
                return
            length = self.length(head)
            if len(rest) < length:
                return
            self.pending = rest[length:]
            self.answer(head.split(b"\r\n", 1)[0])

    @staticmethod
    def length(head: bytes) -> int:
        place = head.lower().find(b"\r\ncontent-length:")
        return int(head[place + 17 :].split(b"\r\n", 1)[0]) if place >= 0 else 0

    def answer(self, line: bytes) -> None:
        reply = ANSWER_TO_POST if line.startswith(b"POST") else answer_to_get(line)
        if self.latency:
            asyncio.get_running_loop().call_later(self.latency, self.transport.write, reply)
        else:
            self.transport.write(reply)


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--latency", type=float, default=0.0)
    latency = parser.parse_args().latency
    server = await asyncio.get_running_loop().create_server(lambda: Stub(latency), "127.0.0.1", 0)
    for size in (100, 2000):
        for number in range(1, TOTAL // size + 1):
            page(number, size)
    print(server.sockets[0].getsockname()[1])
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
