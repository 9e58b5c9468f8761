"""Transfer times over the air, ours beside the other clients': `python benchmarks/ota.py [--json]`.

The clock is virtual: packets are carried one by one by the model of telink-ota.md 9.3 into a real receiver, and every
image is compared with what was sent. Exit 1: an image did not arrive, or the goal was missed.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from airtime import Air, AirRun, OtaUnit
from judges import _peers
from judges._recipes import image, stream
from mitherm.errors import LinkLost
from mitherm.protocol.effects import Procedure
from mitherm.protocol.ota.client import Pace, send_image
from mitherm.protocol.ota.packets import BANK_SIZE, block_count
from mitherm.virtual.board.nor_flash import NorFlash
from mitherm.virtual.reactors.ota_receiver import OtaReceiver, Variant

SIGNED = image("benchmark 0159c", 104_400) + stream("benchmark tail", 1_356)
CUSTOM = image("benchmark ATC", 64_320)
INTERVALS_MS = (10, 15, 30)
PER_EVENT = 9
NATIVE_MS = 0.2
LIMIT_S = 5.0
GOAL = 1.05


class Unit:
    """A unit that runs from bank 0; `boot` is what a reset does to the receiver."""

    def __init__(self, variant: Variant = Variant.X2) -> None:
        self.flash = NorFlash()
        self.flash.program(8, b"KNLT")
        self._variant = variant
        self.boot()

    def boot(self) -> None:
        self.receiver = OtaReceiver(self.flash, variant=self._variant, running_bank=0, limit_s=LIMIT_S)
        self.far_end = OtaUnit(self.receiver)

    def check(self, data: bytes) -> None:
        """The image is in bank 1, switched on, and bank 0 is off."""
        outcome = self.far_end.outcome
        padded = data.ljust(block_count(len(data)) * 16, b"\xff")
        right = self.flash.read(BANK_SIZE, len(padded)) == padded and self.flash.read(8, 4) == bytes(4)
        if outcome is None or not outcome.accepted or not right:
            raise SystemExit(f"wrong: {len(data)} bytes were sent, the unit says {outcome}")


def timed(air: Air, data: bytes, procedure: Procedure[Any]) -> float:
    """Seconds from the first write to the event that carried END."""
    unit = Unit()
    run = AirRun(air, unit.far_end)
    run.run(procedure)
    unit.check(data)
    return run.last_write_s


def rows() -> list[dict[str, Any]]:
    """Every client with both images at every interval; ours asks a stock unit for the interval first and waits for it."""
    peers = (_peers.LIMIT, _peers.TELINK_MI, _peers.TELINK_FLASHER, _peers.FLASH_PY, _peers.FIXED_PAUSE)
    found = []
    for interval_ms in INTERVALS_MS:
        for data in (SIGNED, CUSTOM):
            senders = [(peer.name, peer.write_ms, _peers.update(data, peer)) for peer in peers]
            senders.insert(1, ("mitherm", NATIVE_MS, send_image(data, Pace.FAST, stock=True)))
            for name, write_ms, procedure in senders:
                seconds = timed(Air(interval_ms, PER_EVENT, write_ms), data, procedure)
                found.append(
                    {"name": name, "bytes": len(data), "interval_ms": interval_ms, "seconds": round(seconds, 4)}
                )
    return found


def goal_missed(found: list[dict[str, Any]]) -> list[str]:
    """Where ours takes more than 1.05 times the limit, or longer than any other client."""
    wrong = []
    for interval_ms in INTERVALS_MS:
        for data in (SIGNED, CUSTOM):
            case = {
                r["name"]: r["seconds"] for r in found if (r["bytes"], r["interval_ms"]) == (len(data), interval_ms)
            }
            ours, limit = case.pop("mitherm"), case.pop("limit")
            if ours > GOAL * limit or ours > min(case.values()):
                wrong.append(f"goal missed: {len(data)} bytes at {interval_ms} ms in {ours:.2f} s")
    return wrong


def lost_link() -> list[str]:
    """Lose the link in the middle, let the unit give up, send again: the image is right in every variant and pace."""
    told = []
    for variant in Variant:
        for pace in Pace:
            unit, air = Unit(variant), Air(10, PER_EVENT, NATIVE_MS)
            broken = AirRun(air, unit.far_end, lose_after=block_count(len(CUSTOM)) // 2)
            try:
                broken.run(send_image(CUSTOM, pace, stock=False))
            except LinkLost:
                unit.receiver.tick(broken.now_s + LIMIT_S + 1)
            if unit.flash.read(8, 4) != b"KNLT" or not unit.flash.is_blank(BANK_SIZE, BANK_SIZE):
                raise SystemExit(f"wrong: {variant.name} was not left as it was")
            unit.boot()
            AirRun(air, unit.far_end).run(send_image(CUSTOM, pace, stock=False))
            unit.check(CUSTOM)
            told.append(f"{variant.name} {pace.value}: link lost in the middle, sent again, image right")
    return told


def show(document: dict[str, Any], say: Callable[[str], None] = print) -> None:
    """The same for people."""
    say(f"virtual clock, {PER_EVENT} packets per event; every image was received and compared")
    for interval_ms in INTERVALS_MS:
        for data in (SIGNED, CUSTOM):
            say(f"\n{len(data):,} bytes at {interval_ms} ms")
            case = [r for r in document["rows"] if (r["bytes"], r["interval_ms"]) == (len(data), interval_ms)]
            limit = next(row["seconds"] for row in case if row["name"] == "limit")
            for row in case:
                say(f"  {row['name']:16}{row['seconds']:9.2f} s {row['seconds'] / limit:6.2f} x limit")
    say("\nlost link")
    for line in document["lost_link"]:
        say(f"  {line}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON document instead of tables")
    as_json = parser.parse_args().json
    found = rows()
    document = {"rows": found, "lost_link": lost_link()}
    if as_json:
        print(json.dumps(document, indent=1))
    else:
        show(document)
    wrong = goal_missed(found)
    for line in wrong:
        print(line, file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
