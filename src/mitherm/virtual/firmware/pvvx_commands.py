"""pvvx' command parser: what each id of characteristic 1F1F answers, by version (custom-firmware.md 2, 4 to 8, 10)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from mitherm.protocol.ota.extended import Message
from mitherm.protocol.pvvx.config import CONFIG_ID
from mitherm.protocol.pvvx.keys import DID, KEYS, LENGTHS
from mitherm.protocol.pvvx.structs import CLOCK_MODELS, DeviceId
from mitherm.virtual.board.chip import Chip, RequestMtu, RequestParameters
from mitherm.virtual.board.nor_flash import JEDEC_ID
from mitherm.virtual.firmware.pvvx_history import HistoryRing, HistoryTransfer
from mitherm.virtual.firmware.pvvx_mi import KeyTransfer
from mitherm.virtual.firmware.pvvx_model import LYWSD03MMC, SERVICES_LYWSD03MMC, default_config, since
from mitherm.virtual.firmware.pvvx_state import TICKS_PER_SECOND, State
from mitherm.virtual.firmware.settings_store import V2_SINCE, Setting
from mitherm.virtual.reactors.extended_ota import ExtendedOta

NAME_LENGTH: Final = 18
ENDLESS: Final = 0xFF
READ_LENGTH: Final = 18
_RECORD_REPLY: Final = 17
_NEVER: Final = 0x100
_ERRORS_SINCE: Final = 0x42
_MTU_RANGE: Final = range(23, 251)
_CLOCK_ADDRESS: Final = 0xA2
_DEFAULT_LATENCY: Final = (16, 16)


class BadCommand(Exception):
    """The payload is too short or wrong: `id FF` from 4.2 on, silence before."""


class Commands:
    """The parser with everything a command may touch. Replies go out through `chip.outbox`, or come frame by frame."""

    def __init__(
        self,
        chip: Chip,
        state: State,
        keys: KeyTransfer,
        ring: HistoryRing,
        history: HistoryTransfer,
        extended: ExtendedOta,
    ) -> None:
        self.chip = chip
        self.state = state
        self.keys = keys
        self.ring = ring
        self.history = history
        self.extended = extended
        self.frames_left = 0
        """Frames of command 33 still to send, 255 = endless."""

    def execute(self, data: bytes) -> bytes | None:
        """The reply to a write, None where there is none."""
        if not data:
            return None
        number, payload = data[0], data[1:]
        version = self.state.version
        row = TABLE.get(number)
        try:
            if row is None or not row.since <= version < row.until:
                raise BadCommand
            return row.run(self, payload)
        except BadCommand:
            return bytes([number, 0xFF]) if version >= _ERRORS_SINCE else None

    # --- identity -----------------------------------------------------------------------------------------------------

    def device_id(self, payload: bytes) -> bytes:
        """00: what this build can do."""
        state, build = self.state, self.state.build
        own = state.device_id == LYWSD03MMC
        built_in = state.version >= 0x48
        services = since(SERVICES_LYWSD03MMC, state.version) if own else build.services
        hardware = state.board.hardware_id if own else state.device_id
        sensor = state.board.sensor.kind if built_in else 0
        return DeviceId(0, hardware, state.version, sensor, build.clock_chip if built_in else 0, services).to_bytes()

    def name(self, payload: bytes) -> bytes:
        """01: the eighteenth byte is lost."""
        state = self.state
        if payload:
            text = payload[:NAME_LENGTH]
            if len(text) == NAME_LENGTH:
                text = text[:-1] + b"\0"
            state.store.write(Setting.NAME, b"" if payload[0] == 0 else text)
            state.reboot_armed = True
        return b"\x01" + state.name

    def bus(self, payload: bytes) -> bytes:
        """02: addresses of sensor, display and clock."""
        addresses = [self.state.board.sensor.address, self.state.board.lcd]
        return bytes([2, *addresses, *([_CLOCK_ADDRESS] if self.state.build.clock_chip else [])])

    def scan_bus(self, payload: bytes) -> bytes:
        """03: every address that answers."""
        board = self.state.board
        addresses = {board.sensor.address, board.lcd if board.lcd > 1 else 0}
        if self.state.build.clock_chip:
            addresses.add(_CLOCK_ADDRESS)
        return bytes([3, *sorted(addresses - {0})])

    def transfer_on_bus(self, payload: bytes) -> bytes:
        """04: nothing on the virtual bus acknowledges."""
        raise BadCommand

    def sensor_id(self, payload: bytes) -> bytes:
        """05: id of the sensor chip."""
        return b"\x05" + self._sensor_id()

    def _sensor_id(self) -> bytes:
        return (self.state.board.sensor.chip_id if self.state.version >= 0x48 else 0).to_bytes(4, "little")

    def flash_id(self, payload: bytes) -> bytes:
        """06: id of the flash chip."""
        return b"\x06" + JEDEC_ID

    def mac(self, payload: bytes) -> bytes:
        """10: length byte and number of bytes must agree."""
        if payload and payload[0] == len(payload) - 1 in (0, 6, 8):
            record = payload[1:]
            if len(record) == 6:
                record += self.chip.entropy(2)
            self.state.set_mac(record or None)
            self.keys.mac_record = self.state.mac
        return b"\x10\x08" + self.state.mac

    # --- Mi keys ------------------------------------------------------------------------------------------------------

    def did(self, payload: bytes) -> None:
        """11: show or replace the DID."""
        self._get_or_set(DID, payload)

    def token_and_key(self, payload: bytes) -> None:
        """12: show or replace token and key."""
        self._get_or_set(KEYS, payload)

    def _get_or_set(self, item: int, payload: bytes) -> None:
        if len(payload) == LENGTHS[item]:
            self.keys.set(item, payload)
        else:
            self.keys.get(item)

    def all_keys(self, payload: bytes) -> None:
        """15: show everything."""
        self.keys.get_all()

    def restore_keys(self, payload: bytes) -> None:
        """16: "restore" the previous pair; 3.0 to 4.3 arm the reboot."""
        self.keys.restore()
        self.state.reboot_armed |= 0x30 <= self.state.version <= 0x43

    def erase_keys(self, payload: bytes) -> bytes | None:
        """17: erase the record store; silent up to 2.2."""
        self.keys.erase()
        return b"\x17\0" if self.state.version >= 0x23 else None

    def bind_key(self, payload: bytes) -> bytes:
        """18: the key of encrypted beacons; FF without one, in every version."""
        if len(payload) == 16:
            self.state.store.write(Setting.KEY, payload)
            self.state.key = payload
        return b"\x18" + (self.state.store.read(Setting.KEY) or b"\xff")

    # --- settings -----------------------------------------------------------------------------------------------------

    def comfort(self, payload: bytes) -> bytes:
        """20: comfort window; even a question stores the defaults."""
        state = self.state
        state.comfort = _overlay(state.comfort, payload)
        state.store.write(Setting.COMFORT, state.comfort)
        return b"\x20" + state.comfort

    def clock_source(self, payload: bytes) -> bytes:
        """21: clock source to scan for."""
        state = self.state
        if payload:
            state.scan = _overlay(state.scan, payload)
            state.store.write(Setting.SCAN, state.scan)
        return b"\x21" + state.scan

    def external(self, payload: bytes) -> bytes:
        """22: number on the screen, RAM only."""
        self.state.external = _overlay(self.state.external, payload)
        return b"\x22" + self.state.external

    def clock(self, payload: bytes) -> bytes:
        """23: the clock; shorter answer up to 3.5 and with a hardware clock."""
        state = self.state
        if payload:
            seconds = int.from_bytes(_overlay(state.time.to_bytes(4, "little"), payload), "little")
            state.set_time(seconds)
            state.clock_set = seconds
        reply = b"\x23" + state.time.to_bytes(4, "little")
        short = state.version < 0x36 or state.device_id in CLOCK_MODELS
        return reply if short else reply + state.clock_set.to_bytes(4, "little")

    def clock_step(self, payload: bytes) -> bytes:
        """24: length of a second."""
        state = self.state
        if state.device_id in CLOCK_MODELS:
            raise BadCommand
        if len(payload) >= 2:
            now = state.time
            step = TICKS_PER_SECOND + int.from_bytes(payload[:2], "little", signed=True)
            state.clock_step = step.to_bytes(4, "little")
            state.store.write(Setting.CLOCK_STEP, state.clock_step)
            state.set_time(now)
        return b"\x24" + state.clock_step

    def coefficients(self, payload: bytes) -> bytes:
        """25: sensor coefficients."""
        state = self.state
        if payload:
            state.coefficients = _overlay(state.coefficients, payload)
            state.store.write(Setting.SENSOR, state.coefficients)
        return b"\x25" + self._coefficients()

    def default_coefficients(self, payload: bytes) -> bytes:
        """26: into RAM only."""
        self.state.coefficients = self.state.board.sensor.coefficients.to_bytes()
        return b"\x26" + self._coefficients()

    def _coefficients(self) -> bytes:
        sensor = self.state.board.sensor
        kind = bytes([sensor.kind]) if self.state.version >= 0x48 else b""
        return self.state.coefficients + self._sensor_id() + bytes([sensor.address]) + kind

    def measurements(self, payload: bytes) -> bytes | None:
        """33: how many measurements to send; no answer up to 2.2."""
        self.frames_left = payload[0] if payload else 1
        if self.state.version < 0x23:
            return None
        return bytes([0x33, self.frames_left if self.state.version >= 0x45 else 0])

    def read_history(self, payload: bytes) -> None:
        """35: send history, a start index from 2.1 on."""
        if len(payload) < 2:
            raise BadCommand
        count = int.from_bytes(payload[:2], "little")
        first = int.from_bytes(payload[2:4], "little") if len(payload) >= 4 and self.state.version >= 0x21 else 0
        if count:
            self.history.start(count, first)
        else:
            self.history.stop()

    def clear_history(self, payload: bytes) -> bytes | None:
        """36: clear the history, given the magic 12 34."""
        if len(payload) < 2:
            raise BadCommand
        if payload[:2] != b"\x12\x34":
            return None
        self.history.stop()
        self.ring.clear(self.state.version)
        return b"\x36\0"

    def trigger(self, payload: bytes) -> bytes:
        """44: thresholds and reed inputs."""
        reply = self.trigger_for_now(payload)
        if payload:
            self.state.store.write(Setting.TRIGGER, self.state.trigger)
        return reply

    def trigger_for_now(self, payload: bytes) -> bytes:
        """4A: not stored."""
        state = self.state
        state.trigger = _overlay(state.trigger, payload)
        if state.version >= 0x48 and state.build.key_input and state.trigger[-1] & 3 == 3:
            state.trigger = state.trigger[:-1] + bytes([state.trigger[-1] & ~2])
        state.settle_trigger()
        return b"\x44" + state.trigger + bytes([state.flags])

    def output(self, payload: bytes) -> bytes:
        """45: the output, while no threshold controls it."""
        self.state.settle_trigger(bool(payload[0] & 1) if payload else None)
        return bytes([0x45, self.state.flags])

    def config(self, payload: bytes) -> bytes:
        """55: the configuration; a question stores it too if clamping changed it."""
        return self._configure(_overlay(self.state.config, payload))

    def config_for_now(self, payload: bytes) -> bytes:
        """5A: not stored."""
        return self._configure(_overlay(self.state.config, payload), save=False)

    def defaults(self, payload: bytes) -> bytes:
        """56: default configuration."""
        return self._configure(default_config(self.state.version, self.state.device_id))

    def _configure(self, config: bytes, *, save: bool = True) -> bytes:
        """Take over a configuration; the field tx_measures starts endless frames of 33 at once (5.5)."""
        self.state.set_config(config, save=save)
        if self.state.value("tx_measures"):
            self.frames_left = ENDLESS
        return self.config_frame()

    def config_frame(self) -> bytes:
        """The 55 frame with the stray byte behind the struct."""
        version = self.state.version
        frame = bytes([CONFIG_ID, version]) + self.state.config
        if version < 0x12:
            return frame
        return frame + (b"\x10" if 0x18 <= version < 0x20 else b"\0")

    def screen(self, payload: bytes) -> bytes:
        """60: alone it ends an external screen."""
        state = self.state
        state.screen = _overlay(state.screen, payload)
        state.screen_mode = state.screen_mode | 1 if payload else state.screen_mode & ~1
        return b"\x60" + state.screen

    def screen_mode(self, payload: bytes) -> bytes:
        """61: who owns the screen."""
        if payload:
            self.state.screen_mode = payload[0]
        return bytes([0x61, self.state.screen_mode])

    def pin(self, payload: bytes) -> bytes:
        """70: the PIN; there is no way to read it."""
        if len(payload) < 4:
            raise BadCommand
        return bytes([0x70, self.state.set_pin(int.from_bytes(payload[:4], "little"))])

    def mtu(self, payload: bytes) -> bytes:
        """71: the unit asks for the exchange."""
        if not payload or payload[0] < _MTU_RANGE.start:
            raise BadCommand
        if payload[0] not in _MTU_RANGE:
            return b"\x71\xb0"
        self.chip.emit(RequestMtu(payload[0]))
        return b"\x71\0"

    def reboot(self, payload: bytes) -> bytes | None:
        """72: restart when the link drops; no answer up to 2.2."""
        self.state.reboot_armed = True
        return b"\x72\0" if self.state.version >= 0x23 else None

    def extended_ota(self, payload: bytes) -> bytes | None:
        """73: clear an area for an extended update."""
        answer = None
        for action in self.extended.command(b"\x73" + payload):
            if isinstance(action, Message):
                answer = bytes(action)
            else:
                self.chip.emit(RequestParameters(*_DEFAULT_LATENCY, action.latency, 400))
        self.state.reboot_armed |= self.extended.reset_on_disconnect
        return answer

    def long_range(self, payload: bytes) -> bytes:
        """DD: long range off, from 5.3 on also on."""
        state = self.state
        on = int(state.version >= 0x53 and payload[:1] == b"\x01")
        state.set_config(state.layout.change(state.config, {"longrange": on, "bt5phy": on}))
        if state.version < 0x53:
            state.reboot_armed = True
        return self.config_frame()

    # --- raw access ---------------------------------------------------------------------------------------------------

    def record(self, payload: bytes) -> bytes:
        """DC: no check at all, effective after the next boot."""
        if len(payload) < 2:
            raise BadCommand
        number = payload[0] if self.state.version >= V2_SINCE else int.from_bytes(payload[:2], "little")
        if payload[2:]:
            self.state.store.write_id(number, payload[2:])
        value = self.state.store.read_id(number)
        if value is None:
            raise BadCommand
        return b"\xdc" + payload[:2] + value[:_RECORD_REPLY]

    def read_flash(self, payload: bytes) -> bytes:
        """DE: 18 bytes of flash."""
        if len(payload) < 3:
            raise BadCommand
        address = int.from_bytes(payload[:3], "little")
        return b"\xde" + payload[:3] + self.chip.flash.read(address, READ_LENGTH)


def _overlay(data: bytes, payload: bytes) -> bytes:
    """`payload` over the leading bytes."""
    return (payload + data[len(payload) :])[: len(data)]


@dataclass(frozen=True, slots=True)
class Row:
    """A command: versions that know it, and what it does."""

    since: int
    run: Callable[[Commands, bytes], bytes | None]
    until: int = _NEVER


TABLE: Final = {
    0x00: Row(0x45, Commands.device_id),
    0x01: Row(0x14, Commands.name),
    0x02: Row(0x42, Commands.bus),
    0x03: Row(0x42, Commands.scan_bus),
    0x04: Row(0x42, Commands.transfer_on_bus),
    0x05: Row(0x43, Commands.sensor_id),
    0x06: Row(0x45, Commands.flash_id),
    0x10: Row(0x14, Commands.mac),
    0x11: Row(0x14, Commands.did),
    0x12: Row(0x14, Commands.token_and_key),
    0x15: Row(0x08, Commands.all_keys),
    0x16: Row(0x08, Commands.restore_keys),
    0x17: Row(0x21, Commands.erase_keys),
    0x18: Row(0x28, Commands.bind_key),
    0x20: Row(0x13, Commands.comfort),
    0x21: Row(0x52, Commands.clock_source),
    0x22: Row(0x08, Commands.external),
    0x23: Row(0x18, Commands.clock),
    0x24: Row(0x24, Commands.clock_step),
    0x25: Row(0x47, Commands.coefficients),
    0x26: Row(0x47, Commands.default_coefficients),
    0x33: Row(0x08, Commands.measurements),
    0x35: Row(0x19, Commands.read_history),
    0x36: Row(0x23, Commands.clear_history),
    0x44: Row(0x08, Commands.trigger),
    0x45: Row(0x10, Commands.output),
    0x4A: Row(0x08, Commands.trigger_for_now, 0x45),
    0x55: Row(0x08, Commands.config),
    0x56: Row(0x10, Commands.defaults),
    0x5A: Row(0x08, Commands.config_for_now, 0x45),
    0x60: Row(0x10, Commands.screen),
    0x61: Row(0x10, Commands.screen_mode),
    0x70: Row(0x12, Commands.pin),
    0x71: Row(0x14, Commands.mtu),
    0x72: Row(0x14, Commands.reboot),
    0x73: Row(0x42, Commands.extended_ota),
    0xDC: Row(0x42, Commands.record),
    0xDD: Row(0x42, Commands.long_range),
    0xDE: Row(0x14, Commands.read_flash),
}
"""custom-firmware.md 2.2."""
