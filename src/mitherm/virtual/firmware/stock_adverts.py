"""What stock firmware advertises and when: idle frames, and encrypted objects once bound (beacons.md 6.6)."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from mitherm.beacon.advert import MIBEACON, flags_ad, name_ad, service_data_ad
from mitherm.beacon.keys import BeaconKey
from mitherm.beacon.mibeacon_encode import MiBeacon, mi_battery, mi_humidity, mi_object, mi_temperature
from mitherm.model.address import Address
from mitherm.model.models import Model
from mitherm.primitives.secret import Secret
from mitherm.protocol.stock import clamped
from mitherm.virtual.firmware.gatt_stock import Line

Content: TypeAlias = Literal["idle", "temperature", "humidity", "battery"]

CAPABILITY: Final = 0x08
CAPABILITY_IO: Final = 0x28
IO_CAPABILITY: Final = 0x0001
IDLE_0130_S: Final = 1.7
IDLE_0159_C_S: Final = 2.05
IDLE_0159_B16_S: Final = 0.55
DATA_0159_S: Final = 2.3

_EXTENSION: Final = 0xFFFFFF00
_PHASES: Final = 100
"""More than one cycle or period has phases."""
_CYCLE_S: Final = 600.0
_BATTERY_CYCLES: Final = 6
_COPIES: Final = 24
_BURST_S: Final = 44.0
_GAP_S: Final = 15.0
_FIRST_BATTERY_S: Final = 20.0
_BATTERY_EVERY_S: Final = 580.0
_BATTERY_BURST_S: Final = 3.0
_BATTERY_COPIES: Final = 31
_TURN_S: Final = 61.0
_MIOT_OBJECTS: Final[dict[int, dict[Content, int]]] = {
    0x2832: {"temperature": 0x4C01, "humidity": 0x4C02, "battery": 0x4803},
    0x4C47: {"temperature": 0x4801, "humidity": 0x4802, "battery": 0x4C03},
    0x55B5: {"temperature": 0x4801, "humidity": 0x4802, "battery": 0x4803},
}
"""Objects of the newer models (beacons.md 6.3); 0x4803 of the MJWSD06MMC is a guess."""


@dataclass(frozen=True, slots=True)
class Phase:
    """One stretch of equal frames; `number` differs from phase to phase."""

    content: Content
    number: int
    interval_s: float


def phase_0130(elapsed_s: float) -> tuple[Phase, float]:
    """0109 and 0130: the phase, and the seconds it still lasts.

    Idle for 600 s, then every 600 s a burst of humidity and one of temperature, idle in between. Every sixth cycle, the
    first included, a battery burst follows the two (once an hour).
    """
    cycle, inside = divmod(elapsed_s, _CYCLE_S)
    if cycle < 1:
        return Phase("idle", 0, IDLE_0130_S), _CYCLE_S - inside
    contents: tuple[Content, ...] = ("humidity", "temperature")
    if (cycle - 1) % _BATTERY_CYCLES == 0:
        contents += ("battery",)
    turn, offset = divmod(inside, _BURST_S + _GAP_S)
    number = int(cycle) * _PHASES
    if turn < len(contents) and offset < _BURST_S:
        return Phase(contents[int(turn)], number + 2 * int(turn), _BURST_S / _COPIES), _BURST_S - offset
    left = _BURST_S + _GAP_S - offset if turn + 1 < len(contents) else _CYCLE_S - inside
    return Phase("idle", number + 2 * min(int(turn), len(contents) - 1) + 1, IDLE_0130_S), left


def phase_0159(elapsed_s: float, idle_interval_s: float) -> tuple[Phase, float]:
    """0159: the phase, and the seconds it still lasts.

    Idle for 20 s, battery for 3 s and again every 580 s, temperature and humidity in turn for 61 s each.
    """
    since = elapsed_s - _FIRST_BATTERY_S
    if since < 0:
        return Phase("idle", 0, idle_interval_s), -since
    period, inside = divmod(since, _BATTERY_EVERY_S)
    first = 1 + int(period) * _PHASES
    if inside < _BATTERY_BURST_S:
        return Phase("battery", first, _BATTERY_BURST_S / _BATTERY_COPIES), _BATTERY_BURST_S - inside
    turn, offset = divmod(inside - _BATTERY_BURST_S, _TURN_S)
    left = min(_TURN_S - offset, _BATTERY_EVERY_S - inside)
    return Phase("humidity" if turn % 2 else "temperature", first + 1 + int(turn), DATA_0159_S), left


@dataclass(frozen=True, slots=True)
class Sample:
    """What the sensors say."""

    temperature_c: float
    humidity_pct: float
    battery_pct: int


class StockAdverts:
    """Builds the frames. `counter` is the 32-bit frame counter; it grows with every change of content.

    At boot its low byte begins anew, whether bound or not; the rest comes from the counter record (0x200 a boot).
    """

    def __init__(self, line: Line, board: Model, address: Address, *, counter: int, idle_interval_s: float) -> None:
        self.counter = (counter & _EXTENSION) + (line != "0159")
        self._line = line
        self._name = board.name
        self._product_id = board.products[0]
        self._address = address
        self._idle_interval_s = idle_interval_s
        self._last: tuple[Phase, bytes | None] | None = None
        self._frame = b""

    def next(self, elapsed_s: float, bind_key: bytes | None, sample: Callable[[], Sample]) -> tuple[bytes, float]:
        """AD structures of the coming advert and seconds to the one after; None as key = not bound."""
        phase, left_s = self._phase(elapsed_s, bound=bind_key is not None)
        if self._last != (phase, bind_key):
            if self._last is not None and self._last[0] != phase:
                self.counter = (self.counter + 1) & 0xFFFFFFFF
            self._last = phase, bind_key
            self._frame = self._build(phase, bind_key, sample)
        return self._frame, min(phase.interval_s, left_s)

    def _phase(self, elapsed_s: float, *, bound: bool) -> tuple[Phase, float]:
        if not bound:
            return Phase("idle", 0, self._idle_interval_s), self._idle_interval_s
        return phase_0159(elapsed_s, self._idle_interval_s) if self._line == "0159" else phase_0130(elapsed_s)

    def _build(self, phase: Phase, bind_key: bytes | None, sample: Callable[[], Sample]) -> bytes:
        if phase.content == "idle" or bind_key is None:
            return self._idle(phase)
        objects = _object(phase.content, sample(), _MIOT_OBJECTS.get(self._product_id))
        beacon = MiBeacon(self._product_id, self.counter, self._address, objects=objects)
        return flags_ad() + service_data_ad(MIBEACON, beacon.encrypted(self._address, BeaconKey(Secret(bind_key))))

    def _idle(self, phase: Phase) -> bytes:
        with_io = self._line != "0159" and phase.number == 0
        beacon = MiBeacon(
            self._product_id,
            self.counter,
            self._address,
            CAPABILITY_IO if with_io else CAPABILITY,
            IO_CAPABILITY if with_io else None,
        )
        advert = flags_ad() + service_data_ad(MIBEACON, beacon.plain())
        return advert + name_ad(self._name) if self._line == "0159" else advert


def _object(content: Content, sample: Sample, miot: dict[Content, int] | None) -> bytes:
    if miot is not None:
        return mi_object(miot[content], _miot_value(content, sample))
    if content == "temperature":
        return mi_temperature(clamped(sample.temperature_c * 10, -32768, 32767))
    if content == "humidity":
        return mi_humidity(clamped(sample.humidity_pct * 10, 0, 0xFFFF))
    return mi_battery(sample.battery_pct)


def _miot_value(content: Content, sample: Sample) -> bytes:
    if content == "temperature":
        return struct.pack("<f", sample.temperature_c)
    return bytes((round(sample.humidity_pct) if content == "humidity" else sample.battery_pct,))
