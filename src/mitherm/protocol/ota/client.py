"""The sender of the Telink update (telink-ota.md 4): blocks in order, bounded by read barriers, then a six-byte END."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from mitherm.errors import CharacteristicMissing, ImageTooLarge, KeyProblem, LinkLost, LinkTimeout, TransferFailed
from mitherm.protocol.effects import (
    Procedure,
    begin_read,
    disconnected,
    finish_read,
    pause,
    read,
    report,
    write,
)
from mitherm.protocol.events import Progress
from mitherm.protocol.ota.interval import IntervalRequest
from mitherm.protocol.ota.packets import BANK_SIZE, BLOCK_SIZE, FIRST_COMMAND, Block, End, Start, block_count, blocks
from mitherm.protocol.uuids import OTA, STOCK_INTERVAL

SHORTEST_INTERVAL: Final = IntervalRequest(10)
SETTLE_S: Final = 0.5
"""How long a new connection interval may take to be in force."""
RESTART_S: Final = 12.0
"""How long the link may take to die after END (telink-ota.md 5.6)."""

_TERMINATED_BY_PEER: Final = 0x13
"""How a unit that wants a login first ends the link, before it confirmed anything (telink-ota.md 6)."""
_SAFE_GROUP: Final = 8
"""Blocks between two reads. What all known clients use, so what every firmware has been seen to bear (telink-ota.md 3)."""
_WINDOW: Final = 32
"""Blocks per read when one read is always on its way: more than fit into the events that a read takes on any link up to
9 packets an event, so that the air never idles (telink-ota.md 9.3). Not proven on hardware: `auto` falls back to SAFE."""


class Pace(Enum):
    """SAFE waits for a read after every 8 blocks, as every known client does; FAST keeps 32 to 64 blocks in flight."""

    SAFE = "safe"
    FAST = "fast"


@dataclass(slots=True)
class _Tally:
    """How far the unit has confirmed the transfer."""

    total: int
    confirmed: int = 0
    _told: int = field(default=0)

    def confirm(self, done: int) -> Procedure[None]:
        """Note it; tell the watchers at most once per hundredth."""
        self.confirmed = done
        if done == self.total or (done - self._told) * 100 >= self.total:
            self._told = done
            yield from report(Progress("transfer", done, self.total, "blocks"))


def send_image(data: bytes, pace: Pace, *, stock: bool, limit: int = BANK_SIZE) -> Procedure[None]:
    """Send the whole file `data`; returns when the unit has dropped the link after END, which is not yet success.

    `stock`: ask the unit for a short connection interval first. `limit`: bytes that fit the target, padding included.
    Raises ValueError (nothing to send, too many blocks), ImageTooLarge, KeyProblem (the unit wants a login first),
    TransferFailed (it did not restart) and whatever the link throws; until END the running firmware stays intact.
    """
    tally = _Tally(_checked_count(data, limit))
    if stock:
        yield from _shorten_interval()
    yield from write(OTA, bytes(Start()))
    try:
        yield from (_in_groups if pace is Pace.SAFE else _in_window)(blocks(data), tally)
    except LinkLost as lost:
        if tally.confirmed or lost.reason != _TERMINATED_BY_PEER:
            raise
        raise KeyProblem("the unit refused the update", hint="Log in first, in the same connection.") from lost
    yield from write(OTA, bytes(End(tally.total - 1)))
    yield from _await_restart()


def _checked_count(data: bytes, limit: int) -> int:
    count = block_count(len(data))
    if not 0 < count < FIRST_COMMAND:
        raise ValueError(f"{len(data)} bytes cannot be sent: {count} blocks")
    if count * BLOCK_SIZE > limit:
        message = f"the file needs {count * BLOCK_SIZE} bytes, the unit has room for {limit}"
        raise ImageTooLarge(message, rule="H2")
    return count


def _shorten_interval() -> Procedure[None]:
    try:
        yield from write(STOCK_INTERVAL, bytes(SHORTEST_INTERVAL))
    except CharacteristicMissing:
        return
    yield from pause(SETTLE_S)


def _in_groups(source: Iterator[Block], tally: _Tally) -> Procedure[None]:
    """A group of blocks, then a read: its answer says that the group was processed."""
    for block in source:
        yield from write(OTA, bytes(block))
        sent = block.index + 1
        if sent % _SAFE_GROUP == 0 or sent == tally.total:
            yield from read(OTA)
            yield from tally.confirm(sent)


def _in_window(source: Iterator[Block], tally: _Tally) -> Procedure[None]:
    """One read is always on its way: it is collected only when the next group is out, so that the air never idles."""
    requested = 0
    for block in source:
        yield from write(OTA, bytes(block))
        sent = block.index + 1
        if sent % _WINDOW == 0 or sent == tally.total:
            if requested:
                yield from finish_read()
                yield from tally.confirm(requested)
            yield from begin_read(OTA)
            requested = sent
    yield from finish_read()
    yield from tally.confirm(requested)


def _await_restart() -> Procedure[None]:
    try:
        yield from disconnected(RESTART_S)
    except LinkTimeout as silence:
        raise TransferFailed(
            f"the unit did not restart within {RESTART_S:.0f} s after the last packet",
            hint="Wait 20 s for it to give up, then look which firmware it advertises.",
            device="unknown",
        ) from silence
