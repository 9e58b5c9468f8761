"""pvvx' firmware, versions 0.8 to 5.8."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from mitherm.beacon.advert import ad
from mitherm.model.gatt import GattTable
from mitherm.protocol import uuids
from mitherm.protocol.ota.extended import Message
from mitherm.protocol.pvvx.config import version_text
from mitherm.protocol.pvvx.structs import HistoryRecord, Measurement
from mitherm.virtual.board.chip import Advertise, AttError, Chip, RequestParameters, Vanish
from mitherm.virtual.firmware.base import BootImage, Firmware
from mitherm.virtual.firmware.gatt_stock import CONNECTION_PARAMETERS
from mitherm.virtual.firmware.gatt_tables import HUMIDITY, TEMPERATURE, TEMPERATURE_TENTHS, pvvx_table
from mitherm.virtual.firmware.pvvx_adverts import Adverts
from mitherm.virtual.firmware.pvvx_commands import ENDLESS, Commands
from mitherm.virtual.firmware.pvvx_history import RESUME_S, HistoryRing, HistoryTransfer
from mitherm.virtual.firmware.pvvx_mi import KeyTransfer
from mitherm.virtual.firmware.pvvx_state import Options, State
from mitherm.virtual.firmware.settings_store import Setting
from mitherm.virtual.reactors.extended_ota import ExtendedOta
from mitherm.virtual.reactors.ota_receiver import OtaEnd, OtaEvent, OtaReceiver, Variant

OTA_LIMIT_S: Final = 16.0
MARKS_S: Final = 0.013
SECTOR_ERASE_S: Final = 0.045
PASS_S: Final = 0.02
"""One pass of the main loop while something is sent: a connection interval."""
RECORDS_PER_PASS: Final = 4
PARAMETERS_AFTER_S: Final = 1.0
REBOOT_S: Final = 0.1
PAD_REBOOT_S: Final = 2.0
SLEEP_S: Final = 180.0
START_MV: Final = 2200
RUN_MV: Final = 2000
MAX_HISTORY: Final = 21268
_HISTORY_SINCE: Final = 0x19
_NAME_COMPLETE: Final = 0x09
_ON: Final = b"\x01\0"
_CONNECTION_VALUES: Final = bytes.fromhex("1000100031003009")
_CENTRAL_ONLY: Final = frozenset({uuids.CUSTOM_COMMAND, uuids.OTA})


class PvvxFirmware(Firmware):
    """One pvvx from its start to its reset. `asleep` = the cell was too weak: no adverts until the next try."""

    def __init__(self, chip: Chip, image: BootImage, options: Options | None = None) -> None:
        super().__init__(chip, image)
        self.state = State(chip, image, options or Options())
        self.version = self.state.version
        self.keys = KeyTransfer(chip.flash, self.version)
        self.ring = HistoryRing(chip.flash)
        self.history = HistoryTransfer(self.ring)
        self.ota = OtaReceiver(chip.flash, variant=Variant.T, running_bank=image.bank, limit_s=OTA_LIMIT_S)
        self.extended = ExtendedOta(chip.flash, self.ota, self._announce)
        self.commands = Commands(chip, self.state, self.keys, self.ring, self.history, self.extended)
        self.adverts = Adverts(self.state, self._measure)
        self.last_update: tuple[str, str] | None = None
        self.asleep = False
        self._subscribed: set[str] = set()
        self._protected = self._long_range = False
        self._pass_at: float | None = None
        self._parameters_at: float | None = None
        self._measure_at: float | None = None
        self._sums = [0, 0, 0]
        self._summed = 0

    @property
    def gatt(self) -> GattTable:
        """The table of this version with the strings of this unit."""
        return self._gatt

    def _strings(self) -> Mapping[str, bytes]:
        identity = self.state.identity
        hardware = self.state.store.read(Setting.HARDWARE) or identity[:4]
        return {
            uuids.DEVICE_NAME: self.state.name,
            CONNECTION_PARAMETERS: _CONNECTION_VALUES,
            uuids.MODEL_NUMBER: self.state.product.name.encode() + b"\0",
            uuids.SERIAL_NUMBER: identity[4:],
            uuids.FIRMWARE_REVISION: b"github.com/pvvx\0",
            uuids.HARDWARE_REVISION: hardware,
            uuids.SOFTWARE_REVISION: b"V" + version_text(self.version).encode(),
            uuids.MANUFACTURER: b"miaomiaoce.com\0",
        }

    # --- life ---------------------------------------------------------------------------------------------------------

    def boot(self) -> None:
        """Settings, key, history, then the radio; a weak cell sends the unit to sleep before anything is written."""
        if self.chip.millivolts < START_MV:
            self.state.load(self.version)
            self._gatt = pvvx_table(self.version, self._strings())
            self._sleep()
            return
        self.state.boot()
        self.state.boot_key(self.keys.boot())
        self.keys.mac_record = self.state.mac
        if self.version >= _HISTORY_SINCE:
            self.ring.boot()
            last = self.ring.last()
            self.state.set_time(last.time + RESUME_S if last else 0)
        self._protected = self.state.pin != 0
        self._long_range = bool(self.state.value("longrange"))
        self._gatt = pvvx_table(self.version, self._strings())
        self._rewind_frames()
        self.adverts.boot()

    def resumed(self, clock_s: int | None, send_count: int | None) -> None:
        """Clock and counter go on; the history looks up its place again, no event is announced."""
        if self.version >= _HISTORY_SINCE:
            self.ring.locate()
        if clock_s is not None:
            self.state.set_time(clock_s)
        self.state.measure()
        self.adverts.resume(send_count or 0)

    def skip(self, seconds: float) -> None:
        """Clock and history go on with what the sensor sees now."""
        state = self.state
        start, period = state.time, self._history_period_s()
        if period and self.chip.cell.millivolts - self.chip.cell.sag_mv >= RUN_MV:
            state.measure()
            for step in range(1, min(int(seconds // period), MAX_HISTORY) + 1):
                self.ring.append(HistoryRecord(start + int(step * period), *self._present()))
        state.set_time(start + seconds)

    def clock_s(self) -> int:
        """The unit's clock."""
        return self.state.time

    @property
    def send_count(self) -> int:
        """Counter of the last frame on the air."""
        return self.adverts.send_count

    @property
    def supervision_s(self) -> float:
        """Supervision timeout the unit asks for."""
        return self._parameters().timeout / 100

    def reset_pad(self) -> None:
        """The pad was held for 7 s: default configuration, restart. Name, PIN, key, calibration stay (9.5)."""
        if self.version >= 0x48:
            self.commands.defaults(b"")
            self.chip.reset(PAD_REBOOT_S)

    # --- link ---------------------------------------------------------------------------------------------------------

    def connected(self) -> None:
        """Parameters are asked for a second later; measuring goes on by the clock."""
        now = self.chip.now
        self._parameters_at = now + PARAMETERS_AFTER_S
        self._measure_at = now + self._measure_period_s()

    def disconnected(self) -> None:
        """Transfers stop, the screen returns, an armed reboot happens."""
        self.keys.stop()
        self.history.stop()
        self._subscribed.clear()
        self._pass_at = self._parameters_at = self._measure_at = None
        self.state.screen_mode = 0
        self._rewind_frames()
        self.adverts.restart_period()
        if self.state.reboot_armed and not self.asleep:
            self.chip.reset(0.0 if self.extended.state != "none" else REBOOT_S)

    def write(self, char: str, data: bytes) -> None:
        """A command or a piece of an update."""
        self._check(char)
        if char == uuids.OTA:
            self._follow(self.ota.write(data, self.chip.now))
        elif char == uuids.CUSTOM_COMMAND:
            self.command(data)
        else:
            raise AttError(AttError.WRITE_NOT_PERMITTED)

    def command(self, data: bytes) -> None:
        """A command whose sender may give it."""
        reply = self.commands.execute(data)
        if reply is not None:
            self.chip.notify(uuids.CUSTOM_COMMAND, reply)
        self._plan_pass()

    def read(self, char: str) -> bytes:
        """A value; 1F1F gives the configuration without touching the flash."""
        self._check(char)
        characteristic = self.gatt.find(char)
        if characteristic is None:
            raise AttError(AttError.ATTRIBUTE_NOT_FOUND)
        values = self._values()
        return values.get(char, characteristic.value or bytes(characteristic.max_length))

    def _values(self) -> dict[str, bytes]:
        state = self.state
        frame = bytes([0x55, self.version]) + state.config
        return {
            uuids.CUSTOM_COMMAND: frame if self.version >= 0x42 else frame.ljust(16, b"\0"),
            uuids.BATTERY_LEVEL: bytes([state.battery_pct]),
            TEMPERATURE_TENTHS: round(state.temp_x100 / 10).to_bytes(2, "little", signed=True),
            TEMPERATURE: state.temp_x100.to_bytes(2, "little", signed=True),
            HUMIDITY: state.humi_x100.to_bytes(2, "little"),
        }

    def subscribe(self, char: str, value: bytes) -> None:
        """Readings are notified only where the CCCD is 0001; command frames in any case."""
        if value[:2] == _ON:
            self._subscribed.add(char)
        else:
            self._subscribed.discard(char)

    def _check(self, char: str) -> None:
        if self.gatt.find(char) is None:
            raise AttError(AttError.ATTRIBUTE_NOT_FOUND)
        if self._protected and char in _CENTRAL_ONLY:
            raise AttError(AttError.INSUFFICIENT_AUTHENTICATION)

    def _rewind_frames(self) -> None:
        self.commands.frames_left = ENDLESS if self.state.value("tx_measures") else 0

    def _parameters(self) -> RequestParameters:
        """20 ms with the configured latency; latency 0 asks for one long interval instead (custom-firmware.md 9.2)."""
        state = self.state
        latency = state.value("connect_latency")
        if latency:
            return RequestParameters(16, 16, latency, _timeout((latency + 1) * 20))
        interval = max(state.value("advertising_interval"), 1) * 625 // 30
        return RequestParameters(interval - 1, interval + 5, 0, _timeout((interval + 5) * 1.25))

    # --- update -------------------------------------------------------------------------------------------------------

    def _follow(self, events: list[OtaEvent]) -> None:
        for event in events:
            if isinstance(event, OtaEnd):
                self.last_update = ("accepted", "") if event.accepted else ("error", str(int(event.code)))
                self.chip.reset(MARKS_S if event.accepted else SECTOR_ERASE_S * event.erased_sectors)

    def _announce(self, message: Message) -> bool:
        self.chip.notify(uuids.CUSTOM_COMMAND, bytes(message))
        return True

    # --- time ---------------------------------------------------------------------------------------------------------

    def wake_at(self) -> float | None:
        """Update limit, frames to send, connection parameters, measuring during a link."""
        times = (self.ota.wake_at(), self._pass_at, self._parameters_at, self._measure_at)
        return min((time for time in times if time is not None), default=None)

    def tick(self) -> None:
        """Whatever is due."""
        now = self.chip.now
        self._follow(self.ota.tick(now))
        if self._parameters_at is not None and self._parameters_at <= now:
            self._parameters_at = None
            self.chip.emit(self._parameters())
        if self._pass_at is not None and self._pass_at <= now:
            self._pass()
        if self._measure_at is not None and self._measure_at <= now:
            self._measure_at = now + self._measure_period_s()
            self._measure()
            self._notify_readings()

    def _plan_pass(self) -> None:
        busy = self.keys.active or self.history.active or self.extended.state == "clearing"
        if not busy:
            self._pass_at = None
        elif self._pass_at is None or self._pass_at <= self.chip.now:
            self._pass_at = self.chip.now + (SECTOR_ERASE_S if self.extended.state == "clearing" else PASS_S)

    def _pass(self) -> None:
        frames = [self.keys.next(), *(self.history.next() for _ in range(RECORDS_PER_PASS))]
        for frame in frames:
            if frame is not None:
                self.chip.notify(uuids.CUSTOM_COMMAND, frame)
        self.extended.loop()
        self._plan_pass()

    @property
    def reachable(self) -> bool:
        """Not while asleep, nor in long range mode."""
        return not self.asleep and not self._long_range

    def advertise(self) -> float:
        """One advertisement, unless nobody could receive it."""
        if self.asleep:
            return SLEEP_S
        data, connectable, wait_s = self.adverts.next()
        if self.reachable:
            self.chip.emit(Advertise(data, ad(_NAME_COMPLETE, self.state.name), connectable))
        return wait_s

    # --- measuring ----------------------------------------------------------------------------------------------------

    def _measure_period_s(self) -> float:
        state = self.state
        return max(state.value("advertising_interval"), 1) * 0.0625 * max(state.value("measure_interval"), 1)

    def _history_period_s(self) -> float:
        averaging = self.state.value("averaging", 180 * self.state.value("memo_enable"))
        return averaging * self._measure_period_s() if self.version >= _HISTORY_SINCE else 0.0

    def _present(self) -> tuple[int, int, int]:
        return self.state.temp_x100, self.state.humi_x100, self.state.battery_mv

    def _measure(self) -> None:
        """One measuring cycle with its history; an empty cell ends it (virtual-unit.md 8)."""
        if self.chip.millivolts < RUN_MV:
            self._sleep()
            return
        self.state.measure()
        self._sums = [total + value for total, value in zip(self._sums, self._present(), strict=True)]
        self._summed += 1
        period = self.state.value("averaging", 180 * self.state.value("memo_enable"))
        if period and self._summed >= period and self.version >= _HISTORY_SINCE:
            temp, humi, millivolts = (total // self._summed for total in self._sums)
            self.ring.append(HistoryRecord(self.state.time, temp, humi, millivolts))
            self._sums, self._summed = [0, 0, 0], 0

    def _sleep(self) -> None:
        """Deep sleep: everything but the wake-up timer is off; waking is a boot."""
        self.asleep = True
        if self.chip.connected:
            self.chip.emit(Vanish())
        self.chip.reset(SLEEP_S)

    def _notify_readings(self) -> None:
        values = self._values()
        for char in (uuids.BATTERY_LEVEL, TEMPERATURE_TENTHS, TEMPERATURE, HUMIDITY):
            if char in self._subscribed:
                self.chip.notify(char, values[char])
        if self.commands.frames_left and uuids.CUSTOM_COMMAND in self._subscribed:
            self.chip.notify(uuids.CUSTOM_COMMAND, self.measurement().to_bytes(self.version))
            if self.commands.frames_left != ENDLESS:
                self.commands.frames_left -= 1

    def measurement(self) -> Measurement:
        """What the next frame of command 33 says."""
        state = self.state
        count = state.measured & 0xFFFF
        return Measurement(state.battery_mv, state.temp_x100, state.humi_x100, count, state.flags, state.reed_count)


def _timeout(step_ms: float) -> int:
    """Four steps, 1 to 32 s, in 10 ms."""
    return int(min(max(4 * step_ms, 1000), 32000)) // 10
