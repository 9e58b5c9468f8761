"""The RAM of a running pvvx: configuration and settings, what boot does with them, the clock, the thresholds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from mitherm.model.address import XIAOMI_OUI
from mitherm.model.models import MODELS, of_device
from mitherm.protocol.pvvx.config import Layout, clamp, layout_for, parse_version
from mitherm.protocol.pvvx.structs import CLOCK_MODELS, Coefficients, Comfort, Trigger
from mitherm.virtual.board.chip import Chip
from mitherm.virtual.board.nor_flash import SECTOR
from mitherm.virtual.firmware.base import BootImage
from mitherm.virtual.firmware.pvvx_model import (
    BOARDS,
    LYWSD03MMC,
    SHTC3,
    UNPROBED,
    Board,
    build_of,
    default_config,
    hardware_byte,
    since,
)
from mitherm.virtual.firmware.settings_store import Setting, settings_store

MAC: Final = 0x76000
MAC_LENGTH: Final = 8
IDENTITY: Final = 0x55000
IDENTITY_COPY: Final = 0x76FE0
IDENTITY_LENGTH: Final = 24
BONDS: Final = (0x74000, 0x75000)
TICKS_PER_SECOND: Final = 16_000_000
INVENTED_IDENTITY: Final = b"B1.4F1.0-CFMK-LB-ZCXTJ--"
_KEPT_TAIL: Final = 32
_KEY_LENGTH: Final = 16
_REBOOT_BITS: Final = 0x60
_LOW_POWER: Final = 0x80

# Versions from which on something is so
STORES_FIRST_CONFIG: Final = 0x42
"""Also: copy of the identity string, hardware string in the settings, error answers."""
LOW_POWER_RULE: Final = 0x48
OWN_KEY_ONLY: Final = 0x44
HAS_KEY: Final = 0x22
HAS_REED: Final = 0x37
RADIO_BITS: Final = 0x36
CONFIG_HAS_HARDWARE: Final = 0x20
AVERAGES_BATTERY: Final = 0x42

_BATTERY_SAMPLES: Final = 512
_REED_TYPE: Final = ((0x08, 0x00), (0x42, 0x13))
_VALIDITY_60_S_SINCE: Final = 0x36


@dataclass(frozen=True, slots=True)
class Options:
    """Properties of the hardware that nobody knows for sure, or that differ between units."""

    page_wrap: bool = False
    """5.8 programs settings across flash pages and the chip wraps (flash-layout.md 4.4)."""
    input_open: bool = True
    """Level of reed input 1; an open pad reads high."""


class State:
    """Settings in force and what was measured last. Created at every boot."""

    def __init__(self, chip: Chip, image: BootImage, options: Options) -> None:
        self.chip = chip
        self.options = options
        self.model = image.model
        self.version = parse_version(image.version)
        self.device_id = image.device_id or LYWSD03MMC
        self.build = build_of(self.device_id)
        self.product = of_device(self.device_id) or MODELS[0]
        self.store = settings_store(chip.flash, self.version, page_wrap=options.page_wrap)
        self.board = self._board(chip)
        self.reboot_armed = False
        self.first_start = False
        self.pin = 0
        self.key = b""
        self.mac = b""
        self.temp_x100 = 0
        self.humi_x100 = 0
        self.reed_count = 0
        self.measured = 0
        self.calibrate_battery()
        self.flags = 0
        self._clock_zero = chip.now
        self._clock_base = 0.0
        self.clock_set = 0

    def _board(self, chip: Chip) -> Board:
        if self.device_id == LYWSD03MMC:
            return BOARDS.get(chip.hardware, BOARDS["B1.4"])
        return Board(0, self.build.sensor, self.device_id, chip.hardware.encode()[:4].ljust(4))

    @property
    def layout(self) -> Layout:
        """Layout of the configuration."""
        return layout_for(self.version, self.device_id)

    def value(self, name: str, default: int = 0) -> int:
        """A field of the configuration; `default` where this version has none."""
        field = self.layout.field(name)
        return default if field is None else field.get(self.config)

    # --- boot ---------------------------------------------------------------------------------------------------------

    def boot(self) -> None:
        """Settings store, configuration, probing, key, in the order of the flash writes (flash-layout.md 4.3)."""
        self._boot_mac()
        before = self.store.stored_version()
        self.first_start = not self.store.check_version(self.version, self.device_id)
        self._boot_identity()
        self.load(before or self.version)
        self._probe()

    def _boot_mac(self) -> None:
        flash = self.chip.flash
        if flash.is_blank(MAC, 6):
            flash.program(MAC, self._random_mac())
        self.mac = flash.read(MAC, MAC_LENGTH)

    def _random_mac(self) -> bytes:
        oui = bytes.fromhex(XIAOMI_OUI.replace(":", ""))[::-1]
        return self.chip.entropy(3) + oui + self.chip.entropy(2)

    def _boot_identity(self) -> None:
        """The 24 bytes of 0x55000 are copied once; the ring will overwrite the original one day."""
        if self.version < STORES_FIRST_CONFIG:
            return
        flash = self.chip.flash
        if flash.is_blank(IDENTITY_COPY, IDENTITY_LENGTH) and _plausible(flash.read(IDENTITY, 4)):
            flash.program(IDENTITY_COPY, flash.read(IDENTITY, IDENTITY_LENGTH))
        if self.store.read(Setting.HARDWARE) is None:
            self.store.write(Setting.HARDWARE, self.identity[:4])

    @property
    def identity(self) -> bytes:
        """Hardware (4) and serial (20) string."""
        for address in (IDENTITY_COPY, IDENTITY):
            stored = self.chip.flash.read(address, IDENTITY_LENGTH)
            if _plausible(stored):
                return stored
        return self.product.identity.encode() if self.product.identity_at != IDENTITY else INVENTED_IDENTITY

    def load(self, written_by: int) -> None:
        """Read everything from the store; a record of another length counts as missing."""
        self.config = self._stored(Setting.CONFIG, default_config(self.version, self.device_id))
        self.comfort = self._stored(Setting.COMFORT, Comfort().to_bytes())
        self.trigger = self._stored(Setting.TRIGGER, self._default_trigger())
        self.coefficients = self._stored(Setting.SENSOR, self.board.sensor.coefficients.to_bytes())
        self.clock_step = self._stored(Setting.CLOCK_STEP, TICKS_PER_SECOND.to_bytes(4, "little"))
        self.scan = self._stored(Setting.SCAN, bytes(10))
        self.pin = int.from_bytes(self.store.read(Setting.PIN) or b"", "little")
        self.external = self._default_external()
        self.screen = bytes(self.build.screen_bytes)
        self.screen_mode = 0
        if self.version > 0x41 and (self.chip.power_up or written_by <= 0x41):
            self._clear_longrange()
        self.settle_trigger()

    def _stored(self, setting: Setting, default: bytes) -> bytes:
        value = self.store.read(setting)
        return value if value is not None and len(value) == len(default) else default

    def _default_trigger(self) -> bytes:
        kind = 0x01 if self.version >= 0x48 and self.build.key_input else since(_REED_TYPE, self.version)
        old = Trigger(temp_hysteresis=-50) if self.version < 0x26 else Trigger()
        data = old.to_bytes(self.version)
        return data[:-1] + bytes([kind]) if self.version >= HAS_REED else data

    def _default_external(self) -> bytes:
        if self.device_id in CLOCK_MODELS:
            return bytes.fromhex("44d612001e0007")
        return bytes.fromhex("000000003c00af" if self.version >= _VALIDITY_60_S_SINCE else "000000005802af")

    def _clear_longrange(self) -> None:
        if self.layout.field("longrange") is not None:
            self.config = self.layout.change(self.config, {"longrange": 0})

    def _probe(self) -> None:
        """The hardware byte is written as assumed, then as found (5.6): two hardware records per boot on most boards."""
        if self.version >= STORES_FIRST_CONFIG and self.device_id == LYWSD03MMC:
            self.store.write(Setting.HARDWARE, UNPROBED.name)
            self._set_hardware(UNPROBED)
            self.save_config()
            self.store.write(Setting.HARDWARE, self.board.name)
        self._set_hardware(self.board)
        if self.version >= LOW_POWER_RULE and self.board.sensor.kind == SHTC3.kind:
            self.config = bytes([self.config[0] & ~_LOW_POWER]) + self.config[1:]

    def boot_key(self, mi_key: bytes | None) -> None:
        """The key of the beacons: 2.2 to 4.3 prefer the Mi key, later ones have only their own."""
        if self.version < HAS_KEY:
            return
        stored = self.store.read(Setting.KEY)
        if mi_key is None and (stored is None or len(stored) != _KEY_LENGTH):
            stored = self.chip.entropy(_KEY_LENGTH)
            self.store.write(Setting.KEY, stored)
        self.key = mi_key or stored or b""
        if self.first_start and self.version >= STORES_FIRST_CONFIG:
            self.store.write(Setting.CONFIG, self.config)

    def _set_hardware(self, board: Board) -> None:
        if self.version < CONFIG_HAS_HARDWARE:
            return
        value = hardware_byte(self.version, board.hardware_id, board.sensor)
        self.config = self.config[:9] + bytes([value]) + self.config[10:]

    # --- configuration ------------------------------------------------------------------------------------------------

    def set_config(self, config: bytes, *, save: bool = True) -> None:
        """Take over a configuration: clamp, correct the hardware byte, store it if it differs."""
        before = self.config
        self.config = clamp(self.version, config, self.device_id, self.battery_mv)
        if self.version >= 0x42 or self.version < RADIO_BITS:
            self._set_hardware(self.board)
        if self.version >= RADIO_BITS and (before[1] ^ self.config[1]) & _REBOOT_BITS:
            self.reboot_armed = True
        if save:
            self.store.write(Setting.CONFIG, self.config)

    def save_config(self) -> None:
        """Clamp and store."""
        self.config = clamp(self.version, self.config, self.device_id, self.battery_mv)
        self.store.write(Setting.CONFIG, self.config)

    @property
    def name(self) -> bytes:
        """The stored name, else prefix and half the address."""
        return (
            self.store.read(Setting.NAME)
            or (self.product.prefix or "").encode() + self.mac[2::-1].hex().upper().encode()
        )

    def set_mac(self, record: bytes | None) -> None:
        """Store another address and random part (None: a new address); the rest of the sector but 32 bytes goes."""
        record = record or self._random_mac()
        if record == self.mac:
            return
        flash = self.chip.flash
        tail = flash.read(MAC + SECTOR - _KEPT_TAIL, _KEPT_TAIL)
        flash.erase_sector(MAC)
        flash.program(MAC + SECTOR - _KEPT_TAIL, tail)
        flash.program(MAC, record)
        self.mac, self.reboot_armed = record, True

    def set_pin(self, pin: int) -> bool:
        """False when nothing changed. Switching it on or off drops the bonds and arms the reboot."""
        if pin == self.pin:
            return False
        if not pin or not self.pin:
            for sector in BONDS:
                self.chip.flash.erase_sector(sector)
            self.reboot_armed = True
        self.pin = pin
        self.store.write(Setting.PIN, pin.to_bytes(4, "little"))
        return True

    @property
    def battery_mv(self) -> int:
        """Supply voltage, from 4.2 on the mean of up to 512 samples."""
        return round(self._battery) if self.version >= AVERAGES_BATTERY else self.chip.millivolts

    @property
    def battery_pct(self) -> int:
        """0 % at 2200 mV, 100 % at 3000 mV."""
        return min(max((self.battery_mv - 2200) // 8, 0), 100)

    # --- clock --------------------------------------------------------------------------------------------------------

    @property
    def time(self) -> int:
        """The unit's clock, s."""
        step = int.from_bytes(self.clock_step, "little") or TICKS_PER_SECOND
        return int(self._clock_base + (self.chip.now - self._clock_zero) * TICKS_PER_SECOND / step) & 0xFFFFFFFF

    def set_time(self, seconds: float) -> None:
        """Set the clock."""
        self._clock_zero, self._clock_base = self.chip.now, seconds

    # --- measuring ----------------------------------------------------------------------------------------------------

    def calibrate_battery(self) -> None:
        """Begin the mean of the supply voltage anew."""
        self._battery = float(self.chip.millivolts)

    def measure(self) -> None:
        """Read the sensor, evaluate the thresholds."""
        climate = self.chip.climate
        temp, humi = climate.temperature_c * 100, climate.humidity_pct * 100
        if self.version < 0x47:
            temp += 10 * self.value("temp_offset")
            humi += 10 * self.value("humi_offset")
        else:
            temp, humi = self._calibrated(temp, humi)
        self.temp_x100 = max(-32768, min(round(temp), 32767))
        self.humi_x100 = max(0, min(round(humi), 9999))
        self.measured += 1
        self._battery += (self.chip.millivolts - self._battery) / min(self.measured + 1, _BATTERY_SAMPLES)
        self._evaluate()

    def _calibrated(self, temp: float, humi: float) -> tuple[float, float]:
        """What the sensor's true value becomes under changed coefficients."""
        own, used = self.board.sensor.coefficients, Coefficients.from_bytes(self.coefficients)
        if not own.temp_gain or not own.humi_gain:
            return temp, humi
        return (
            (temp - own.temp_zero) * used.temp_gain / own.temp_gain + used.temp_zero,
            (humi - own.humi_zero) * used.humi_gain / own.humi_gain + used.humi_zero,
        )

    @property
    def thresholds(self) -> Trigger:
        """The trigger struct with the present flags."""
        return Trigger.from_bytes(self.version, self.trigger + bytes([self.flags]))

    def _evaluate(self) -> None:
        trigger = self.thresholds
        temp = _event(bool(self.flags & 8), self.temp_x100, trigger.temp_threshold, trigger.temp_hysteresis)
        humi = _event(bool(self.flags & 16), self.humi_x100, trigger.humi_threshold, trigger.humi_hysteresis)
        self.flags = self.flags & ~0x18 | temp << 3 | humi << 4
        self.settle_trigger()

    def settle_trigger(self, output: bool | None = None) -> None:
        """Recompute input, output and "controlled"; `output` counts only while both hystereses are 0."""
        trigger = self.thresholds
        controlled = bool(trigger.temp_hysteresis or trigger.humi_hysteresis)
        on = bool(self.flags & 0x18) if controlled else bool(self.flags & 2) if output is None else output
        if self.version < 0x26:
            on = on and not controlled
        reed = self.options.input_open and self.version >= HAS_REED
        self.flags = self.flags & 0x78 | controlled << 2 | on << 1 | reed


def _event(was: bool, value: int, threshold: int, hysteresis: int) -> bool:
    """Rule of custom-firmware.md 6.2 for one quantity."""
    low, high = threshold - abs(hysteresis), threshold + abs(hysteresis)
    if not hysteresis:
        return False
    if hysteresis < 0:
        return value < low or (was and not value > high)
    return value > high or (was and not value < low)


def _plausible(identity: bytes) -> bool:
    return identity[:1] == b"B" and identity[1:2].isdigit() and identity[2:3] == b"." and identity[3:4].isdigit()
