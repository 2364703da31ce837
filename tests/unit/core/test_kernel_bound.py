"""What the operating system is told of an attempt's end."""

from __future__ import annotations

import socket
import time

import httpcore
import pytest

from keito.core.deadline import deadline
from keito.core.transport import _DeadlineStream  # pyright: ignore[reportPrivateUsage]

pytestmark = pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="only Linux can be told")


def test_the_system_drops_what_is_not_acknowledged_by_the_end_of_the_attempt() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    stream = _DeadlineStream(httpcore.SyncBackend().connect_tcp("127.0.0.1", listener.getsockname()[1]))
    deadline.at = time.monotonic() + 2
    try:
        stream.write(b"POST", 60)
        told = stream.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)
    finally:
        deadline.at = None
        stream.close()
        listener.close()
    assert 1000 < told <= 2000


def test_nothing_goes_out_once_the_permit_is_over() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    stream = _DeadlineStream(httpcore.SyncBackend().connect_tcp("127.0.0.1", listener.getsockname()[1]))
    deadline.permit = 0.0
    try:
        with pytest.raises(httpcore.WriteTimeout):
            stream.write(b"POST", 60)
    finally:
        deadline.permit = None
        stream.close()
    server, _ = listener.accept()
    assert server.recv(10) == b""
    server.close()
    listener.close()
