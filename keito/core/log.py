"""One log line a request, without secrets, on the logger `keito`."""

import logging
import os

logger = logging.getLogger("keito")

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO}


def log_to_stderr_if_asked() -> None:
    """Obey `KEITO_LOG=info` (a line a request) or `debug` (and why it is sent again)."""
    asked = os.environ.get("KEITO_LOG", "")
    level = _LEVELS.get(asked.lower())
    if level is None:
        if asked:
            logger.warning("KEITO_LOG=%s has no effect: it may be info or debug", asked)
        return
    logger.setLevel(level)
    # An application that configured logging gets the lines through its own handlers; two would say all twice.
    if logging.getLogger().handlers or any(type(handler) is logging.StreamHandler for handler in logger.handlers):
        return
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(name)s %(levelname)s %(message)s"))
    logger.addHandler(handler)
