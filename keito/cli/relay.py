"""`python -m keito relay`: a process that sends what agents have stored."""

import errno
from typing import Annotated, Optional

import typer

from keito.cli.account import client_of_environment
from keito.cli.screen import fail, say
from keito.cli.store import Url, store_of


def relay(
    url: Url = None,
    port: Annotated[
        Optional[int], typer.Option(min=0, max=65535, help="Answer /healthz and /metrics here; 0 takes a free port.")
    ] = None,
    host: Annotated[str, typer.Option(help="The address for that, such as 0.0.0.0 in a container.")] = "127.0.0.1",
    concurrency: Annotated[int, typer.Option(min=1, max=256, help="Records that are on their way at a time.")] = 8,
    quiet: Annotated[
        float, typer.Option(min=0, help="Seconds before Keito is asked what became of a request without an answer.")
    ] = 30.0,
    drain: Annotated[float, typer.Option(min=0, help="Seconds that requests have to end after SIGTERM.")] = 20.0,
) -> None:
    """Send what is in the outbox until SIGTERM or Ctrl-C. Any number of relays may work on one outbox."""
    from keito.cli.chores import chores  # noqa: PLC0415 - brings the billing along
    from keito.outbox.relay.service import run_relay  # noqa: PLC0415 - brings the relay along

    def ready(address: str) -> None:
        at = f", {address}/healthz and /metrics" if address else ""
        say(f"Keito relay ready{at}")

    store_of(url).close()  # what is wrong with the URL is said before anything is started
    with client_of_environment() as client:
        try:
            run_relay(
                url,
                client=client,
                port=port,
                host=host,
                concurrency=concurrency,
                quiet=quiet,
                drain=drain,
                chores=chores,
                ready=ready,
            )
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            raise fail(f"port {port} is in use; choose another with --port, or --port 0 for a free one") from None
        except ImportError as error:  # prometheus-client was taken away
            raise fail(str(error)) from None
