"""atc1441's firmware (today's master): silent commands, 0x181A or Mi-like adverts, keys erased at boot."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from mitherm.beacon.advert import ENVIRONMENT, MIBEACON, name_ad, service_data_ad
from mitherm.beacon.custom_encode import atc1441_plain, toward_zero
from mitherm.beacon.mibeacon_encode import MiBeacon, mi_climate, mi_like_battery
from mitherm.model.address import Address
from mitherm.model.gatt import GattTable
from mitherm.protocol import uuids
from mitherm.protocol.stock import clamped
from mitherm.virtual.board.chip import Advertise, AttError, Chip, RequestParameters
from mitherm.virtual.board.mac import complete_mac
from mitherm.virtual.firmware.atc1441_settings import (
    ADVERTISE_FAHRENHEIT,
    HUMIDITY_ALARM,
    HUMIDITY_OFFSET,
    INTERVAL,
    MI_LIKE,
    TEMPERATURE_ALARM,
    TEMPERATURE_OFFSET,
    Settings,
)
from mitherm.virtual.firmware.base import BootImage, Firmware
from mitherm.virtual.firmware.gatt_tables import HUMIDITY, TEMPERATURE_TENTHS, atc1441_table
from mitherm.virtual.reactors.ota_receiver import OtaEnd, OtaEvent, OtaReceiver, Variant

OTA_LIMIT_S: Final = 5.0
MARKS_S: Final = 0.013
SECTOR_ERASE_S: Final = 0.045
SUPERVISION_S: Final = 4.0
LOOP_S: Final = 6.0
"""The sensor loop takes 5 to 7 s."""
ADVERT_S: Final = 1.89
PRODUCT_ID: Final = 0x055B
FIRST_ADVERT: Final = bytes(31)


@dataclass(frozen=True, slots=True)
class SensorValues:
    """One round of the sensor loop, offsets included."""

    temperature_x10: int
    humidity_pct: int
    battery_pct: int
    battery_mv: int


class Adverts:
    """The frame on the air. Each of the two formats has its own counter; Mi-like frames carry T/H and battery in turn."""

    def __init__(self, address: Address) -> None:
        self.counter = 0
        self.frame = FIRST_ADVERT
        self._address = address
        self._mi_counter = 0

    def update(self, measured: SensorValues, *, mi_like: bool) -> None:
        """New content, counter + 1."""
        self.frame = self._mi_like(measured) if mi_like else self._custom(measured)

    def _custom(self, measured: SensorValues) -> bytes:
        self.counter = (self.counter + 1) & 0xFF
        data = atc1441_plain(
            self._address,
            measured.temperature_x10,
            measured.humidity_pct,
            measured.battery_pct,
            measured.battery_mv,
            self.counter,
        )
        return service_data_ad(ENVIRONMENT, data)

    def _mi_like(self, measured: SensorValues) -> bytes:
        self._mi_counter = (self._mi_counter + 1) & 0xFF
        if self._mi_counter & 1:
            objects = mi_climate(measured.temperature_x10, measured.humidity_pct * 10)
        else:
            objects = mi_like_battery(measured.battery_pct)
        beacon = MiBeacon(PRODUCT_ID, self._mi_counter, self._address, objects=objects, version=3, auth_mode=0)
        return service_data_ad(MIBEACON, beacon.plain())


def battery_pct(millivolts: int) -> int:
    """Percent as this firmware counts (beacons.md 2)."""
    return clamped((millivolts - 2200) // 9, 0, 100)


def tenths_fahrenheit(celsius_x10: int) -> int:
    """0.1 C to 0.1 F in whole numbers."""
    return toward_zero(celsius_x10 * 18 + 3200, 10)


class Atc1441Firmware(Firmware):
    """One life of the firmware. The sensor loop runs when it is looked at: every 6 s of the clock count."""

    supervision_s: float | None = SUPERVISION_S

    def __init__(self, chip: Chip, image: BootImage) -> None:
        super().__init__(chip, image)
        self.settings = Settings(chip.flash)
        self.last_update: tuple[str, str] | None = None
        self.ota = OtaReceiver(chip.flash, variant=Variant.T, running_bank=image.bank, limit_s=OTA_LIMIT_S)
        self._gatt = atc1441_table({uuids.DEVICE_NAME: b"ATC"})
        self._loop_at = chip.now + LOOP_S
        self._first = True
        self._advertised: SensorValues | None = None
        self._advertised_at = 0.0

    @property
    def gatt(self) -> GattTable:
        """The same on every unit."""
        return self._gatt

    def boot(self) -> None:
        """Key sector and settings, then the first measurement."""
        address = complete_mac(self.chip)
        self.settings.boot()
        self.adverts = Adverts(address)
        self._name = "ATC_" + address.compact[-6:].upper()

    def resumed(self, clock_s: int | None, send_count: int | None) -> None:
        """The counter goes on; the empty first advert was long ago."""
        self._first = False
        self.adverts.counter = send_count or 0

    @property
    def send_count(self) -> int:
        """Counter of the custom format."""
        return self.adverts.counter

    # --- link ---------------------------------------------------------------------------------------------------------

    def connected(self) -> None:
        """Asks for 10 ms, latency 99; from now on every sensor loop notifies."""
        self._loop_at = self.chip.now + LOOP_S
        self.chip.emit(RequestParameters(8, 8, 99, 400))

    def disconnected(self) -> None:
        """Nothing ends: an update stays open until its limit."""

    def write(self, char: str, data: bytes) -> None:
        """Commands are never answered."""
        if self.gatt.find(char) is None:
            raise AttError(AttError.ATTRIBUTE_NOT_FOUND)
        if char == uuids.OTA:
            self._follow(self.ota.write(data, self.chip.now))
        elif char == uuids.CUSTOM_COMMAND:
            self.settings.command(data)

    def read(self, char: str) -> bytes:
        """1F1F refuses."""
        characteristic = self.gatt.find(char)
        if characteristic is None:
            raise AttError(AttError.ATTRIBUTE_NOT_FOUND)
        if "read" not in characteristic.properties:
            raise AttError(AttError.READ_NOT_PERMITTED)
        return self._values().get(char, characteristic.value or bytes(characteristic.max_length))

    def _values(self) -> dict[str, bytes]:
        """In the order in which they are notified."""
        return notified_values(self.measure())

    # --- time ---------------------------------------------------------------------------------------------------------

    def measure(self) -> SensorValues:
        """What the sensor says, with the offsets of the settings."""
        climate, settings = self.chip.climate, self.settings
        millivolts = clamped(self.chip.millivolts, 0, 0xFFFF)
        return SensorValues(
            clamped(climate.temperature_c * 10 + settings.signed(TEMPERATURE_OFFSET), -2000, 2000),
            clamped(climate.humidity_pct + settings.signed(HUMIDITY_OFFSET), 0, 100),
            battery_pct(millivolts),
            millivolts,
        )

    def tick(self) -> None:
        """Update limit; one sensor loop while a link is up."""
        self._follow(self.ota.tick(self.chip.now))
        if self.chip.connected and self._loop_at <= self.chip.now:
            self._loop_at = self.chip.now + LOOP_S
            for char, value in self._values().items():
                self.chip.notify(char, value)

    def wake_at(self) -> float | None:
        """Update limit and, on a link, the next sensor loop."""
        limit = self.ota.wake_at()
        if not self.chip.connected:
            return limit
        return self._loop_at if limit is None else min(limit, self._loop_at)

    def advertise(self) -> float:
        """The first advert after a boot is 31 zero bytes; new content by interval or alarm."""
        if self._first:
            self._first = False
        else:
            self._refresh()
        self.chip.emit(Advertise(self.adverts.frame, name_ad(self._name)))
        return ADVERT_S

    def _refresh(self) -> None:
        measured = self.measure()
        if self._due(measured):
            self._advertised, self._advertised_at = measured, self.chip.now
            self.adverts.update(self._as_advertised(measured), mi_like=bool(self.settings.raw[MI_LIKE]))

    def _due(self, measured: SensorValues) -> bool:
        last, settings = self._advertised, self.settings.raw
        if last is None or self.chip.now >= self._advertised_at + max(settings[INTERVAL] * 10, LOOP_S):
            return True
        return (
            abs(measured.temperature_x10 - last.temperature_x10) > settings[TEMPERATURE_ALARM]
            or abs(measured.humidity_pct - last.humidity_pct) > settings[HUMIDITY_ALARM]
        )

    def _as_advertised(self, measured: SensorValues) -> SensorValues:
        if not self.settings.raw[ADVERTISE_FAHRENHEIT]:
            return measured
        return replace(measured, temperature_x10=tenths_fahrenheit(measured.temperature_x10))

    # --- update -------------------------------------------------------------------------------------------------------

    def _follow(self, events: list[OtaEvent]) -> None:
        for event in events:
            if isinstance(event, OtaEnd):
                self.last_update = ("accepted", "") if event.accepted else ("error", str(int(event.code)))
                self.chip.reset(MARKS_S if event.accepted else SECTOR_ERASE_S * event.erased_sectors)


def notified_values(measured: SensorValues) -> dict[str, bytes]:
    """Values of one sensor loop in the order of their notifications: temperature, humidity, battery."""
    return {
        TEMPERATURE_TENTHS: measured.temperature_x10.to_bytes(2, "little", signed=True),
        HUMIDITY: (measured.humidity_pct * 100).to_bytes(2, "little"),
        uuids.BATTERY_LEVEL: bytes([measured.battery_pct]),
    }
