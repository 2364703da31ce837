"""What a relay process tells a monitoring system, in the format of Prometheus."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from keito.outbox.relay.breaker import BreakerState

if TYPE_CHECKING:
    from prometheus_client.core import Metric

    from keito.outbox.relay.relay import Relay

_STALE = 60.0
"""Seconds without a turn of the relay's loop after which it is not well."""


class RelayCollector:
    """Reads a relay and its store when it is asked; registers with `prometheus_client`."""

    def __init__(self, relay: Relay) -> None:
        self._relay = relay

    def collect(self) -> Iterator[Metric]:
        """The metrics as they are now."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily  # noqa: PLC0415 - an extra

        relay, stats = self._relay, self._relay.stats
        counts = relay.store.counts(relay.destination)
        records = GaugeMetricFamily("keito_outbox_records", "Records in the store by state.", labels=["state"])
        for state, number in counts.items():
            records.add_metric([state.value], number)
        yield records
        oldest = relay.store.oldest_pending(relay.destination)
        yield GaugeMetricFamily(
            "keito_outbox_oldest_seconds", "Age of the oldest record that is still to be sent.", value=oldest or 0.0
        )
        failures = CounterMetricFamily(
            "keito_relay_failures", "Attempts that were no success, by HTTP status or `no answer`.", labels=["status"]
        )
        for status, number in dict(stats.failures).items():
            failures.add_metric([status], number)
        yield failures
        resolved = CounterMetricFamily(
            "keito_relay_unsure_resolved", "Records in doubt that Keito was asked for.", labels=["result"]
        )
        resolved.add_metric(["found"], stats.found)
        resolved.add_metric(["absent"], stats.absent)
        yield resolved
        breaker = GaugeMetricFamily("keito_relay_breaker", "Whether the API answers: the state is 1.", labels=["state"])
        for one in BreakerState:
            breaker.add_metric([one.value], float(one is relay.breaker_state))
        yield breaker
        yield GaugeMetricFamily("keito_relay_blocked_seconds", "For how long nothing is sent.", value=relay.blocked)
        for name, text, value in (
            ("attempts", "Requests that were to create something.", stats.attempts),
            ("delivered", "Records that got onto Keito.", stats.delivered),
            ("duplicates", "Records that Keito had more than once.", stats.duplicates),
            ("listings_failed", "How often records in doubt could not be asked for.", stats.listings_failed),
        ):
            yield CounterMetricFamily(f"keito_relay_{name}", text, value=value)


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Handler(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it
        """Nothing: a probe comes every few seconds."""


class MetricsServer:
    """Answers `/healthz` and `/metrics`.

    Args:
        relay: What to tell of.
        host: The address to listen on.
        port: The port; 0 takes a free one.

    Raises:
        ImportError: prometheus-client is not installed.
        OSError: The port cannot be had.
    """

    def __init__(self, relay: Relay, host: str, port: int) -> None:
        try:
            import prometheus_client  # noqa: PLC0415
        except ImportError as error:
            raise ImportError('metrics need prometheus-client: pip install "keito[cli]"') from error
        registry = prometheus_client.CollectorRegistry(auto_describe=False)
        registry.register(RelayCollector(relay))
        self._relay = relay
        self._metrics: Callable[..., Iterable[bytes]] = prometheus_client.make_wsgi_app(registry)  # pyright: ignore[reportUnknownMemberType]
        self._server = make_server(host, port, self._answer, server_class=_Server, handler_class=_Handler)
        self.url = f"http://{f'[{host}]' if ':' in host else host}:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, name="keito-metrics", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Answer no more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _answer(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        path = environ.get("PATH_INFO")
        if path == "/metrics":
            return self._metrics(environ, start_response)
        if path != "/healthz":
            status, text = "404 Not Found", "there is /healthz and /metrics"
        elif self._relay.idle_seconds < _STALE:
            status, text = "200 OK", "ok"
        else:
            status, text = "503 Service Unavailable", f"the outbox has not answered for {_STALE:.0f} seconds"
        start_response(status, [("Content-Type", "text/plain; charset=utf-8")])
        return [text.encode() + b"\n"]
