"""The vendor services of stock firmware: values, their rules, history dump and measurements (mi-auth.md 1.4)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from mitherm.errors import DecodeError
from mitherm.protocol import uuids
from mitherm.protocol.ota.interval import answer
from mitherm.protocol.stock import (
    CLEAR_HISTORY,
    DEFAULT_COMFORT,
    DISCONNECT,
    FAHRENHEIT,
    HISTORY_CAPACITY,
    NO_RECORD,
    SWITCH_OFF,
    SWITCH_ON,
    Comfort,
    Measurement,
    clamped,
    u32,
)
from mitherm.virtual.board.chip import Chip, RequestParameters, Terminate
from mitherm.virtual.board.nor_flash import NorFlash
from mitherm.virtual.firmware import gatt_stock
from mitherm.virtual.firmware.gatt_stock import Line
from mitherm.virtual.firmware.stock_clock import Clock
from mitherm.virtual.firmware.stock_history import Dump, History, Hour

MEASURE_EVERY_S: Final = 6.0
DUMP_EVERY_S: Final = 0.01
INTERVAL_SUPERVISION_S: Final = 6.0
HOUR_S: Final = 3600
_SWITCH: Final = 0x56000
_ENABLE: Final = 0x01


def battery_pct(millivolts: int) -> int:
    """The percent value of stock firmware (this project's scale, virtual-unit.md 8)."""
    return clamped((millivolts - 2100) // 9, 0, 100)


class VendorServices:
    """State of the vendor services. Unit and comfort live in RAM only, clock, switch and history in flash.

    `data`: where the last three lie, if that is not the unit's own flash.
    """

    def __init__(self, chip: Chip, line: Line, data: NorFlash | None = None) -> None:
        self._data = data or chip.flash
        self.chip = chip
        self.clock = Clock(self._data)
        self.history = History(self._data)
        self.supervision_s: float | None = None
        self._line = line
        self._unit = 0
        self._comfort = DEFAULT_COMFORT.to_bytes()
        self._dumps = {
            uuids.STOCK_RECORDS: Dump(self.history),
            gatt_stock.CUS1_RECORDS: Dump(self.history),
        }
        self._measuring: set[str] = set()
        self._measure_at: float | None = None
        self._dump_at: float | None = None
        self._uptime_base = -chip.now
        self._hour_started_s = 0.0
        self._hour = self._new_hour()
        self.readers = self._make_readers()
        self.writers = self._make_writers()

    def _make_readers(self) -> dict[str, Callable[[], bytes]]:
        dump, second = self._dumps.values()
        return {
            uuids.STOCK_TIME: lambda: self.clock_s().to_bytes(4, "little"),
            uuids.STOCK_DATA_COUNT: lambda: self.history.count.to_bytes(),
            uuids.STOCK_INDEX: lambda: dump.index.to_bytes(4, "little"),
            uuids.STOCK_LAST_RECORD: self._last_record,
            uuids.STOCK_UNIT: lambda: bytes([self._unit]),
            uuids.STOCK_MEASUREMENT: self._measurement,
            uuids.STOCK_BATTERY: self._battery,
            uuids.BATTERY_LEVEL: self._battery,
            uuids.STOCK_COMFORT: lambda: self._comfort,
            uuids.STOCK_SWITCH: lambda: bytes([self._data.read(_SWITCH, 1) == b"\x01"]),
            gatt_stock.CUS1_DATA_COUNT: lambda: self.history.count.to_bytes(),
            gatt_stock.CUS1_INDEX: lambda: second.index.to_bytes(4, "little"),
            gatt_stock.CUS1_MEASUREMENT: self._measurement,
        }

    def _make_writers(self) -> dict[str, Callable[[bytes], None]]:
        dump, second = self._dumps.values()
        return {
            uuids.STOCK_TIME: lambda data: self.clock.set(u32(data), self.uptime_s),
            uuids.STOCK_INDEX: dump.choose,
            uuids.STOCK_UNIT: self._write_unit,
            uuids.STOCK_DISCONNECT: self._write_disconnect,
            uuids.STOCK_CLEAR: self._write_clear,
            uuids.STOCK_COMFORT: self._write_comfort,
            uuids.STOCK_INTERVAL: self._write_interval,
            uuids.STOCK_SWITCH: self._write_switch,
            gatt_stock.CUS1_INDEX: second.choose,
        }

    # --- life ---------------------------------------------------------------------------------------------------------

    @property
    def uptime_s(self) -> float:
        """Seconds since the boot, pauses of the program included."""
        return self.chip.now + self._uptime_base

    def clock_s(self) -> int:
        """The running clock."""
        return self.clock.seconds(self.uptime_s)

    def boot(self) -> None:
        """Clock log and headers."""
        self.clock.boot(self.uptime_s)
        self.history.write_headers()

    def resumed(self, clock_s: int | None) -> None:
        """Go on as if there had been no pause; a running unit is past its first minutes."""
        if clock_s is not None:
            self._uptime_base = clock_s - self.chip.now
            self.clock.adopt(clock_s, self.uptime_s)
            self._hour_started_s = self.uptime_s - self.uptime_s % HOUR_S

    def skip(self, seconds: float) -> None:
        """Time passed unseen."""
        self._uptime_base += seconds
        self.catch_up()

    def catch_up(self) -> None:
        """Everything that goes on by itself: the clock log, the hourly records."""
        climate = self.chip.climate
        self.clock.catch_up(self.uptime_s)
        passed = int((self.uptime_s - self._hour_started_s) // HOUR_S)
        self._hour_started_s += max(0, passed - HISTORY_CAPACITY) * HOUR_S
        for _ in range(min(passed, HISTORY_CAPACITY)):
            self._hour_started_s += HOUR_S
            behind_s = int(self.uptime_s - self._hour_started_s)
            record = self._hour.record(self.history.newest + 1, self.clock_s() - behind_s)
            self.history.append(record)
            self._hour = self._new_hour()
        self._hour.see(climate.temperature_c, climate.humidity_pct)

    def _new_hour(self) -> Hour:
        return Hour.starting(self.chip.climate.temperature_c, self.chip.climate.humidity_pct)

    def disconnected(self) -> None:
        """All notifications end with the link."""
        self._measuring.clear()
        self._measure_at = self._dump_at = None
        self.supervision_s = None
        for dump in self._dumps.values():
            dump.active = False

    # --- notifications ------------------------------------------------------------------------------------------------

    def subscribe(self, char: str, value: bytes) -> None:
        """A CCCD of these services was written."""
        on = bool(value and value[0] & _ENABLE)
        if char in self._dumps:
            self._dumps[char].active = on
            self._dump_at = self.chip.now if any(dump.active for dump in self._dumps.values()) else None
        elif char in self._measured():
            (self._measuring.add if on else self._measuring.discard)(char)
            self._measure_at = self.chip.now + MEASURE_EVERY_S if self._measuring else None

    def wake_at(self) -> float | None:
        """When the next notification is due."""
        times = [time for time in (self._measure_at, self._dump_at) if time is not None]
        return min(times) if times else None

    def tick(self) -> None:
        """Send what is due."""
        if self._dump_at is not None and self._dump_at <= self.chip.now:
            self._dump_at = self._send_records()
        if self._measure_at is not None and self._measure_at <= self.chip.now:
            self._measure_at = self.chip.now + MEASURE_EVERY_S
            for char, value in self._measured().items():
                if char in self._measuring:
                    self.chip.notify(char, value())

    def _measured(self) -> dict[str, Callable[[], bytes]]:
        chars = (uuids.STOCK_MEASUREMENT, gatt_stock.CUS1_MEASUREMENT, uuids.BATTERY_LEVEL)
        return {char: self.readers[char] for char in chars}

    def _send_records(self) -> float | None:
        """One record of each dump; None when all are through."""
        more = False
        for char, dump in self._dumps.items():
            record = dump.following()
            if record is not None:
                self.chip.notify(char, record.to_bytes())
                more = True
        return self.chip.now + DUMP_EVERY_S if more else None

    # --- values -------------------------------------------------------------------------------------------------------

    def _measurement(self) -> bytes:
        climate = self.chip.climate
        millivolts = None if self._line == "0109" else self.chip.millivolts
        return Measurement(climate.temperature_c, clamped(climate.humidity_pct, 0, 100), millivolts).to_bytes()

    def _battery(self) -> bytes:
        return bytes([battery_pct(self.chip.millivolts)])

    def _last_record(self) -> bytes:
        record = self.history.at(self.history.newest)
        return NO_RECORD if record is None else record.to_bytes()

    def _write_unit(self, data: bytes) -> None:
        self._unit = int(data[0] == FAHRENHEIT)

    def _write_disconnect(self, data: bytes) -> None:
        if data[0] == DISCONNECT[0]:
            self.chip.emit(Terminate())

    def _write_clear(self, data: bytes) -> None:
        if data[0] == CLEAR_HISTORY[0]:
            self.history.clear()
            for dump in self._dumps.values():
                dump.next_index = None

    def _write_comfort(self, data: bytes) -> None:
        try:
            comfort = Comfort.from_bytes(data[:6])
        except DecodeError:
            return
        if comfort.acceptable:
            self._comfort = data[:6]

    def _write_interval(self, data: bytes) -> None:
        request = answer(data)
        if request is not None:
            self.supervision_s = INTERVAL_SUPERVISION_S
            self.chip.emit(RequestParameters(request.minimum, request.maximum, request.latency, request.timeout))

    def _write_switch(self, data: bytes) -> None:
        state = {SWITCH_ON: b"\x01", SWITCH_OFF: b"\x00"}.get(data[:4])
        if state is not None and self._data.read(_SWITCH, 1) != state:
            self._data.erase_sector(_SWITCH)
            self._data.program(_SWITCH, state + bytes(15))
