"""Logging of the command line: the library only speaks to its loggers, what is shown is decided here."""

from __future__ import annotations

import logging
from typing import Final

_OURS: Final = "mitherm"
_LEVELS: Final = (logging.WARNING, logging.INFO, logging.DEBUG)
_OTHERS: Final = (logging.CRITICAL, logging.ERROR, logging.WARNING)


def set_up(verbosity: int) -> None:
    """Messages go to stderr; -v shows what mitherm does, -vv every packet. Other libraries stay in the background."""
    step = min(verbosity, 2)
    logging.basicConfig(level=_OTHERS[step], format="%(name)s: %(message)s", force=True)
    logging.getLogger(_OURS).setLevel(_LEVELS[step])
