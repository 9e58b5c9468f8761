"""Stock firmware: LYWSD03MMC 1.0.0_0109, 1.0.0_0130, 2.1.1_0159 in its builds c and B1.6, and siblings by their models."""

from __future__ import annotations

from typing import Final

from mitherm.beacon.advert import name_ad
from mitherm.image.tail import ROOTS, verify
from mitherm.model import models
from mitherm.model.gatt import GattTable
from mitherm.model.models import BANK, Gate, Model, Stock
from mitherm.protocol import uuids
from mitherm.protocol.effects import Notification
from mitherm.virtual.board.chip import Advertise, AttError, Chip, RequestParameters, Terminate
from mitherm.virtual.board.mac import complete_mac
from mitherm.virtual.board.nor_flash import NorFlash
from mitherm.virtual.firmware.base import BootImage, Firmware
from mitherm.virtual.firmware.gatt_stock import Line, line_of, stock_table
from mitherm.virtual.firmware.stock_adverts import (
    IDLE_0130_S,
    IDLE_0159_B16_S,
    IDLE_0159_C_S,
    Sample,
    StockAdverts,
)
from mitherm.virtual.firmware.stock_records import StockRecords
from mitherm.virtual.firmware.stock_vendor import VendorServices, battery_pct
from mitherm.virtual.reactors.mi_device import MiDevice
from mitherm.virtual.reactors.ota_receiver import OtaEnd, OtaEvent, OtaReceiver, OtaStart, Variant

MARKS_S: Final = 0.013
SIGNED_S: Final = 3.5
REFUSED_S: Final = 0.5
SECTOR_ERASE_S: Final = 0.045
SUPERVISION_S: Final = 4.0
ATT_PAYLOAD: Final = 20

_BOOT_COUNT: Final = 0x53000
_BLOCK: Final = 16
_BUILD_C: Final = "c"
_NO_SERIAL: Final = b"0000-0000-0000-00000"
_NO_HARDWARE: Final = b"0000"
_MI_VERSION_LENGTH: Final = 20


class StockFirmware(Firmware):
    """One stock firmware from its start to its reset.

    `last_update` = (accepted | refused | error, reason) of an update that ended in this life; `supervision_s` = the
    supervision timeout the unit asked for on this link, None where it left it to the central.
    """

    def __init__(self, chip: Chip, image: BootImage) -> None:
        super().__init__(chip, image)
        self.line: Line = line_of(image.version)
        self.board, self.rules = stock_rules(image.model, image.version)
        self.records = StockRecords(chip.flash, self.line)
        self.vendor = VendorServices(chip, self.line, NorFlash() if self._far_bank else None)
        self.last_update: tuple[str, str] | None = None
        self._refusal = ""
        self._gatt = self._table()
        self.mi = MiDevice(
            self.records,
            generation=2 if self.line == "0159" else 1,
            entropy=chip.entropy,
            roots=ROOTS,
            att_payload=ATT_PAYLOAD,
        )
        self.ota = OtaReceiver(
            chip.flash,
            variant=Variant.X2 if self.rules.strict else Variant.X1,
            running_bank=image.bank,
            limit_s=self.rules.locked_limit_s or self.rules.limit_s,
            bank_size=self.rules.second_bank,
            accept=self._signature_holds if self.rules.refuses_unsigned else None,
        )

    @property
    def gatt(self) -> GattTable:
        """The table of this version with the strings of this unit."""
        return self._gatt

    @property
    def supervision_s(self) -> float | None:
        """What the unit asked for: 6 s after a write to ccd8, 4 s on 0109 and 0130."""
        return self.vendor.supervision_s or (None if self.line == "0159" else SUPERVISION_S)

    def _table(self) -> GattTable:
        """2A25 and 2A27 come from flash; build B1.6 of 0159 answers two more characters."""
        raw = self.chip.flash.read(self.board.identity_at, 24)
        blank = raw == b"\xff" * 24
        hardware, serial = (_NO_HARDWARE, _NO_SERIAL) if blank else (raw[:4], raw[4:])
        if self.rules.refuses_unsigned and self.image.build != _BUILD_C:
            serial += b"00" if blank else b"06"
        version = self.image.version[-4:] if self.rules.short_version else self.image.version
        return stock_table(version, model=self.image.model, serial=serial, hardware=hardware)

    @property
    def _far_bank(self) -> bool:
        """The second bank lies where the LYWSD03MMC keeps its data; where such models keep theirs is not known."""
        return self.rules.second_bank != BANK

    # --- boot ---------------------------------------------------------------------------------------------------------

    def boot(self) -> None:
        """MAC, boot count, clock log, headers, record store and counter (flash-layout.md 3.5 and 5)."""
        address = complete_mac(self.chip)
        if not self._far_bank:
            count_boot(self.chip.flash)
        self.vendor.boot()
        counter = self.records.boot()
        self.adverts = StockAdverts(
            self.line, self.board, address, counter=counter, idle_interval_s=self._idle_interval_s()
        )

    def _idle_interval_s(self) -> float:
        if self.line != "0159":
            return IDLE_0130_S
        return IDLE_0159_C_S if self.image.build == _BUILD_C else IDLE_0159_B16_S

    def resumed(self, clock_s: int | None, send_count: int | None) -> None:
        """Clock and beacon counter go on where they were."""
        self.vendor.resumed(clock_s)
        if send_count is not None:
            self.adverts.counter = send_count + self.records.bound

    def skip(self, seconds: float) -> None:
        """Clock, log and hourly records catch up."""
        self.vendor.skip(seconds)

    def clock_s(self) -> int:
        """The clock of ccb7."""
        return self.vendor.clock_s()

    @property
    def send_count(self) -> int:
        """The 32-bit counter of the frame on the air."""
        return self.adverts.counter

    def reset_pad(self) -> None:
        """The pad was held for 4.5 s: binding, clock and history go, DID and counter stay, restart."""
        self.vendor.clock.erase()
        self.records.unbind()
        self.vendor.history.clear()
        self.chip.reset()

    # --- link ---------------------------------------------------------------------------------------------------------

    def connected(self) -> None:
        """0109 and 0130 ask for 10-15 ms at once; 0159 asks for nothing."""
        if self.line != "0159":
            self.chip.emit(RequestParameters(8, 12, 0, 400))

    def disconnected(self) -> None:
        """Login and notifications end; an update stays open until its limit."""
        self.mi.disconnected()
        self.vendor.disconnected()

    def write(self, char: str, data: bytes) -> None:
        """Any write; characteristics without a handler take everything and do nothing."""
        self.vendor.catch_up()
        now = self.chip.now
        if self.gatt.find(char) is None:
            raise AttError(AttError.ATTRIBUTE_NOT_FOUND)
        if char in (uuids.MI_CONTROL, uuids.MI_PARCELS):
            self._notify(self.mi.write(char, data, now))
        elif char == uuids.OTA:
            self._set_limit()
            self._follow(self.ota.write(data, now))
        elif char in self.vendor.writers and (data or char in _TAKES_NOTHING):
            self.vendor.writers[char](data)

    def read(self, char: str) -> bytes:
        """Any read; characteristics not used read as zeros."""
        self.vendor.catch_up()
        characteristic = self.gatt.find(char)
        if characteristic is None:
            raise AttError(AttError.ATTRIBUTE_NOT_FOUND)
        if "read" not in characteristic.properties:
            raise AttError(AttError.READ_NOT_PERMITTED)
        if char == uuids.MI_VERSION:
            return self._mi_version()
        reader = self.vendor.readers.get(char)
        return reader() if reader is not None else characteristic.value or bytes(characteristic.max_length)

    def subscribe(self, char: str, value: bytes) -> None:
        """Only the vendor services look at their CCCDs; the authentication notifies anyway."""
        self.vendor.subscribe(char, value)

    def _mi_version(self) -> bytes:
        text = "1.0.0_0001" if self.line == "0109" else self.image.version
        return text.encode().ljust(_MI_VERSION_LENGTH, b"\0")

    def _notify(self, notifications: list[Notification]) -> None:
        for notification in notifications:
            self.chip.notify(notification.char, notification.data)

    # --- update -------------------------------------------------------------------------------------------------------

    def _follow(self, events: list[OtaEvent]) -> None:
        for event in events:
            if isinstance(event, OtaEnd):
                self._finish(event)
            elif isinstance(event, OtaStart) and self._gate_closed:
                self.chip.emit(Terminate())

    @property
    def _gate_closed(self) -> bool:
        return self.rules.gate is Gate.LOGIN and not self.mi.authorised

    def _set_limit(self) -> None:
        """MJWSD models are less patient before a login (telink-ota.md 5.5)."""
        locked = not self.mi.authorised and self.rules.locked_limit_s
        self.ota.limit_s = locked or self.rules.limit_s

    def _finish(self, event: OtaEnd) -> None:
        """The update is over: the reset follows after what the chip still has to do."""
        self.vendor.clock.log_now(self.vendor.uptime_s)
        if event.accepted:
            self.last_update = ("accepted", self._refusal)
            self.chip.reset(SIGNED_S if self.rules.refuses_unsigned else MARKS_S)
        elif event.code == 0:
            self.last_update = ("refused", self._refusal)
            self.chip.reset(REFUSED_S)
        else:
            self.last_update = ("error", str(int(event.code)))
            self.chip.reset(SECTOR_ERASE_S * event.erased_sectors)

    def _signature_holds(self, bank: int, last_index: int) -> bool:
        """The callback of 0159 at END, over everything stored (virtual-unit.md 5)."""
        stored = self.chip.flash.read(bank, _BLOCK * (last_index + 1))
        verdict = verify(stored, build=self.image.build or "B1.6")
        self._refusal = verdict.reason
        return verdict.accepted

    # --- time ---------------------------------------------------------------------------------------------------------

    def tick(self) -> None:
        """Procedures, update limit, notifications."""
        self.vendor.catch_up()
        self._notify(self.mi.tick(self.chip.now))
        self._set_limit()
        self._follow(self.ota.tick(self.chip.now))
        self.vendor.tick()

    def wake_at(self) -> float | None:
        """Pending limits and notifications. Clock log and hourly records catch up at the next event instead."""
        times = (self.mi.wake_at(), self.ota.wake_at(), self.vendor.wake_at())
        return min((time for time in times if time is not None), default=None)

    def advertise(self) -> float:
        """One advert; the name is in the scan response."""
        self.vendor.catch_up()
        frame, wait_s = self.adverts.next(self.vendor.uptime_s, self.records.bind_key, self._sample)
        self.chip.emit(Advertise(frame, name_ad(self.image.model)))
        return wait_s

    def _sample(self) -> Sample:
        climate = self.chip.climate
        return Sample(climate.temperature_c, climate.humidity_pct, battery_pct(self.chip.millivolts))


_TAKES_NOTHING: Final = (uuids.STOCK_INDEX,)
"""The one handler that gives an empty write a meaning."""


def stock_rules(name: str, version: str) -> tuple[Model, Stock]:
    """Board and rules of an image; a model without rules of its own behaves like the LYWSD03MMC."""
    board = models.board(name, version=version) or models.MODELS[0]
    rules = board.stock_of(version)
    return (board, rules) if rules is not None and board.products else (models.MODELS[0], models.MODELS[0].stock[0])


def count_boot(flash: NorFlash) -> None:
    """The sector at 0x53000 is rewritten with the number of boots."""
    count = 0 if flash.is_blank(_BOOT_COUNT, 4) else flash.u32(_BOOT_COUNT)
    flash.erase_sector(_BOOT_COUNT)
    flash.program(_BOOT_COUNT, ((count + 1) & 0xFFFFFFFF).to_bytes(4, "little"))
