"""Every rule's verdict for devices, states, images and batteries: `make matrix`, or `python tools/matrix.py [WORD...]`.

A line is one cell: device and board, what runs, the image, the battery, the verdict of every rule in the order of the table
(`.` ok, `?` cannot verify, `R` refuse, `X` refuse and nothing lifts it), and the outcome. WORDs keep lines that have them.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from itertools import product

from mitherm.device.abilities import Abilities
from mitherm.device.boards import NEW_BOARD
from mitherm.device.observation import Observation
from mitherm.image.container import ZigbeeContainer
from mitherm.image.inspect import inspect
from mitherm.image.sign_file import SignFile
from mitherm.image.synth import SIGN_KIND, package
from mitherm.image.telink import trailer
from mitherm.model.family import Family
from mitherm.ops.files.images import SelectedImage, sendable
from mitherm.ops.guards import RULES, Case, Judgement, Ruling, judge
from mitherm.ops.updating.paths import Start, starts

DEVICES = (
    ("LYWSD03MMC", "B1.4", None),
    ("LYWSD03MMC", "B1.6", None),
    ("LYWSD03MMC", NEW_BOARD, 14),
    ("LYWSD03MMC", "V_14", None),
    ("MHO-C401", None, None),
    ("MJWSD05MMC", None, 9),
)
"""Model, board, hardware id."""
BATTERIES = (3000, 2600, 2400, 1900, None)
"""mV while connected."""
SIGNS = {Ruling.OK: ".", Ruling.CANNOT_VERIFY: "?", Ruling.REFUSE: "R"}


@dataclass(frozen=True)
class Cell:
    """One meeting of a unit and an image, with every rule's judgement."""

    device: str
    state: str
    image: str
    battery_mv: int | None
    case: Case
    judgements: tuple[Judgement, ...]

    @property
    def signs(self) -> str:
        """One character for every rule."""
        return "".join(_sign(judgement) for judgement in self.judgements)

    @property
    def standing(self) -> list[Judgement]:
        """What stops it."""
        return [judgement for judgement in self.judgements if judgement.stands]

    def __str__(self) -> str:
        first = next((f"{one.rule.id}: {one.verdict.message}" for one in self.standing), "goes ahead")
        battery = f"{self.battery_mv} mV" if self.battery_mv is not None else "not read"
        return f"{self.device:22} {self.state:54} {self.image:26} {battery:9} {self.signs}  {first}"


def _sign(judgement: Judgement) -> str:
    for_good = judgement.stands and (judgement.verdict.final or judgement.rule.waiver is None)
    return "X" if for_good else SIGNS[judgement.verdict.ruling]


def cells() -> Iterator[Cell]:
    """All of them."""
    for device, start, name, battery in product(DEVICES, starts(), images(), BATTERIES):
        seen = _unit(start, device, battery)
        image = images()[name]
        extended = Abilities.of(seen).needs_extended(image.inspection) and Abilities.of(seen).extended
        case = Case(
            "flash",
            seen.address,
            seen,
            image,
            extended=extended,
            records_saved=start.observation.records is not None,
            can_log_in=start.can_log_in,
            synthetic_allowed=True,
        )
        label = " ".join(part for part in device[:2] if part)
        yield Cell(label, start.label, name, battery, case, tuple(judge(RULES, case)))


def _unit(start: Start, device: tuple[str, str | None, int | None], battery: int | None) -> Observation:
    model, board, hardware_id = device
    seen = start.observation
    hardware = "B1.6" if board == NEW_BOARD else board
    known = hardware if hardware and hardware[0] == "B" else None
    if seen.family is Family.ATC1441:
        known = hardware = hardware_id = None
    identity = replace(seen.identity, model=model, hardware=known, hardware_string=hardware)
    told = hardware_id if seen.family is Family.PVVX else None
    serial = "F2.0-3-FY-NF-S-G-JH-" if board == NEW_BOARD and seen.family is Family.STOCK else seen.serial
    return replace(seen, identity=identity, hardware_id=told, battery_mv=battery, serial=serial)


@cache
def images() -> dict[str, SelectedImage]:
    """What is sent, by a name for the line."""
    pvvx, sign = package("pvvx-5.8"), SignFile.from_bytes(package(SIGN_KIND))
    files = {
        "pvvx 5.8": pvvx,
        "pvvx 3.2": package("pvvx-3.2"),
        "pvvx 5.8 + tail": sign.apply(pvvx),
        "pvvx 5.8 for MHO-C401": package("pvvx-5.8", "MHO-C401"),
        "pvvx 5.8 for MJWSD05MMC": package("pvvx-5.8", "MJWSD05MMC"),
        "atc1441": package("atc1441"),
        "stock 1.0.0_0109": package("stock-1.0.0_0109"),
        "stock 1.0.0_0130": package("stock-1.0.0_0130"),
        "stock 2.1.1_0159 signed": package("stock-2.1.1_0159"),
        "stock 2.1.1_0159 B1.6": package("stock-2.1.1_0159_B1.6"),
        "pvvx 5.8 above 128 KiB": _changed(pvvx, {}, 0x20004),
        "pvvx 5.8 of nobody": _changed(pvvx, {0x40: bytes(0x40)}),
        "Zigbee": _zigbee(pvvx, 0x1141),
        "Zigbee of devbis": _zigbee(pvvx, 0xDB15),
        "damaged": pvvx[:5000] + b"\xff" * 16 + pvvx[5016:],
    }
    return {name: sendable(SelectedImage(name, data, inspect(data))) for name, data in files.items()}


def _changed(image: bytes, changes: dict[int, bytes], size: int | None = None) -> bytes:
    body = bytearray(image[:-4])
    for at, data in changes.items():
        body[at : at + len(data)] = data
    body += bytes((size or len(image)) - 4 - len(body))
    body[0x18:0x1C] = (len(body) + 4).to_bytes(4, "little")
    return bytes(body) + trailer(bytes(body)).to_bytes(4, "little")


def _zigbee(image: bytes, manufacturer: int) -> bytes:
    words = {0x40: bytes(0xC0), 0x02: bytes.fromhex("01300060"), 0x12: manufacturer.to_bytes(2, "little")}
    return ZigbeeContainer.wrap(_changed(image, words, 0x20404)).to_bytes()


def main(words: list[str]) -> int:
    """Print the lines that have all `words`."""
    print(f"rules in order: {' '.join(rule.id for rule in RULES)}")
    shown = open_ = 0
    for cell in cells():
        line = str(cell)
        if all(word in line for word in words):
            shown += 1
            open_ += not cell.standing
            print(line)
    print(f"{shown} cells, {open_} go ahead, {shown - open_} are stopped; every rule was judged in each")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
