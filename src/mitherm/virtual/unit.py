"""One virtual unit: power, boot, link, adverts and faults around a personality.

The air (loopback, bumble, or the synchronous pair) calls the methods with the present time and gets the actions that
follow. A unit never waits: `wake_at` says when `advance` has something to do.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from typing import Final

from mitherm.image.catalogue import Catalogue
from mitherm.image.shipped import shipped_catalogue
from mitherm.model.address import Address
from mitherm.model.gatt import GattTable
from mitherm.protocol.uuids import CCCD
from mitherm.virtual.board.chip import Action, Advertise, AttError, Chip, Notify, Terminate, Vanish
from mitherm.virtual.board.nor_flash import FlashOperation, PowerLoss
from mitherm.virtual.boot import BootResult, boot_unit
from mitherm.virtual.faults import Fault, FaultTable
from mitherm.virtual.firmware.base import Firmware

BROWN_OUT_MV: Final = 1800
"""Below it the unit is off, as without a cell (virtual-unit.md, battery)."""
FLASH_MINIMUM_MV: Final = 2000
"""Below it power fails at the byte that is being erased or programmed (virtual-unit.md, battery)."""
POWER_RETURNS_S: Final = 2.0
"""After a power cut by fault the supply comes back; a cell that is out or empty keeps the unit off."""
DEFAULT_SUPERVISION_S: Final = 4.0


def _unanswered(deliver: Callable[[], None]) -> None:
    """A write that arrives late: a refusal finds nobody who waits for it."""
    with suppress(AttError):
        deliver()


class NoAnswer(Exception):
    """A request that is never answered (fault `lose` on a read): the central waits until its time-out."""


class Unit:
    """A powered board with a flash, driven from outside."""

    def __init__(
        self,
        chip: Chip,
        *,
        faults: FaultTable | None = None,
        rssi_dbm: int | None = -60,
        catalogue: Catalogue | None = None,
    ) -> None:
        self.chip = chip
        self._catalogue = shipped_catalogue() if catalogue is None else catalogue
        self.faults = faults or FaultTable()
        self.rssi_dbm = rssi_dbm
        self.supervision_s = DEFAULT_SUPERVISION_S
        self.on_reboot: Callable[[], None] | None = None
        self.last_update: tuple[str, str] | None = None
        self.touched = False
        """Whether a central connected since the world was opened."""
        self.traffic = {"write": 0, "read": 0, "notify": 0}
        """Messages that went over links."""
        self._booted: BootResult | None = None
        self._dark_for_ever = False
        self._powered = False
        self._power_at: float | None = None
        self._advert_at: float | None = None
        self._delayed: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()
        self._ready: list[Action] = []
        self._stalled_until = 0.0
        chip.flash.watch = self._flash_operation
        chip.flash.noise = chip.entropy

    # --- what it is ---------------------------------------------------------------------------------------------------

    @property
    def firmware(self) -> Firmware | None:
        """The running personality; None while dark or without power."""
        return self._booted.firmware if self._booted is not None and self._powered else None

    @property
    def running(self) -> bool:
        """Whether firmware runs."""
        return self.firmware is not None

    @property
    def connectable(self) -> bool:
        """Whether a central may connect now: running, advertising, in range, no link."""
        reachable = self.firmware is not None and self.firmware.reachable
        return reachable and not self.chip.connected and self._advert_at is not None and self.rssi_dbm is not None

    @property
    def address(self) -> Address:
        """The address on the air: read from flash at boot."""
        if self._booted is not None and self._booted.address is not None:
            return self._booted.address
        return Address.from_reversed(self.chip.flash.read(0x76000, 6))

    @property
    def gatt(self) -> GattTable:
        """Attribute table of the running firmware; empty when there is none."""
        return self.firmware.gatt if self.firmware else GattTable(())

    @property
    def att_mtu(self) -> int:
        """Largest ATT MTU the firmware agrees to."""
        return self.firmware.att_mtu if self.firmware else 23

    @property
    def display(self) -> str:
        """ok, blank or off."""
        if self.firmware is None or self._booted is None:
            return "off"
        return self._booted.display if self._booted.display != "ok" else self.firmware.display

    # --- power --------------------------------------------------------------------------------------------------------

    def power_up(self, now: float) -> None:
        """The cell goes in: cold boot, unless it is empty."""
        self.chip.now = now
        self.chip.warm.clear()
        self.chip.power_up = True
        if self.chip.cell.inserted and self.chip.cell.millivolts >= BROWN_OUT_MV:
            self._powered = True
            self._boot()

    def resume(self, now: float, idle_s: float, *, clock_s: int | None = None, send_count: int | None = None) -> None:
        """Come back into a world after `idle_s` seconds alone: RAM as after a boot, flash as it was, no reboot."""
        self.chip.now = now
        before = bytes(self.chip.flash.data)
        watch, self.chip.flash.watch = self.chip.flash.watch, None
        self.chip.power_up = False
        self._powered = True
        self._boot()
        self.chip.flash.data[:] = before
        self.chip.flash.watch = watch
        if self.firmware is not None:
            self.firmware.resumed(clock_s, send_count)
            firmware = self.firmware
            self._guarded(lambda: firmware.skip(idle_s))
            self._advert_at = now

    def power_down(self, now: float) -> list[Action]:
        """The cell goes out: everything volatile is gone."""
        self.chip.now = now
        self._lose_power()
        return self._collect()

    def reset_pad(self, now: float) -> float:
        """Short the reset pad and let what follows happen; returns the time it is then."""
        self.chip.now = now
        self.touched = True
        if self.firmware is not None:
            self._guarded(self.firmware.reset_pad)
        self._collect()
        return now

    def set_millivolts(self, millivolts: int, now: float) -> list[Action]:
        """New open-circuit voltage; below 1800 mV the unit is off."""
        self.chip.cell.millivolts = millivolts
        if millivolts < BROWN_OUT_MV and self._powered:
            return self.power_down(now)
        return []

    def go_dark(self) -> None:
        """Reset and never run again in this session (fault `dark`)."""
        self._dark_for_ever = True
        self._end_link()
        self._booted = None
        self._advert_at = None

    @property
    def powered(self) -> bool:
        """Whether the supply is there."""
        return self._powered

    @property
    def dark_for_ever(self) -> bool:
        """Whether a fault killed it."""
        return self._dark_for_ever

    def _boot(self) -> None:
        self.chip.reset_at = None
        self._advert_at = None
        if self._dark_for_ever:
            self._booted = None
            return
        try:
            self._booted = boot_unit(self.chip, self._catalogue)
        except PowerLoss:
            self._power_failed()
            return
        if self._booted is not None:
            self._advert_at = self.chip.now + self._booted.delay_s
            self.supervision_s = DEFAULT_SUPERVISION_S

    def _lose_power(self) -> None:
        self._end_link()
        self._powered = False
        self._booted = None
        self._advert_at = None
        self._delayed.clear()
        self.chip.reset_at = None

    def _power_failed(self) -> None:
        self._lose_power()
        self._power_at = self.chip.now + POWER_RETURNS_S

    def _end_link(self) -> None:
        if self.chip.connected:
            self.supervision_s = getattr(self.firmware, "supervision_s", None) or DEFAULT_SUPERVISION_S
            self.chip.connected = False
            self.chip.emit(Vanish())

    def _reset(self) -> None:
        self.last_update = getattr(self.firmware, "last_update", None) or self.last_update
        bank = self._booted.image.bank if self._booted is not None else None
        self._end_link()
        self.chip.power_up = False
        self._boot()
        if self._booted is not None and self._booted.image.bank != bank:
            for fault in self.faults.meet("after-ota"):
                self._apply(fault)
        if self.on_reboot is not None:
            self.on_reboot()

    # --- time ---------------------------------------------------------------------------------------------------------

    def wake_at(self) -> float | None:
        """When `advance` must be called next."""
        times = [self.chip.reset_at, self._power_at, self._delayed[0][0] if self._delayed else None]
        if self.firmware is not None:
            times.append(self.firmware.wake_at())
            if not self.chip.connected:
                times.append(self._advert_at)
        moments = [time for time in times if time is not None]
        return min(moments) if moments else None

    def advance(self, now: float) -> list[Action]:
        """Let everything happen that is due up to `now`, adverts included."""
        while (due := self.wake_at()) is not None and due <= now:
            self.chip.now = max(self.chip.now, due)
            self._guarded(self._happen)
        self.chip.now = max(self.chip.now, now)
        return self._collect()

    def _happen(self) -> None:
        now = self.chip.now
        if self._delayed and self._delayed[0][0] <= now:
            heapq.heappop(self._delayed)[2]()
        elif self._power_at is not None and self._power_at <= now:
            self._power_at = None
            self.power_up(now)
        elif self.chip.reset_at is not None and self.chip.reset_at <= now:
            self._reset()
        elif self.firmware is not None:
            self._run_firmware(self.firmware, now)

    def _run_firmware(self, firmware: Firmware, now: float) -> None:
        wake = firmware.wake_at()
        if wake is not None and wake <= now:
            firmware.tick()
        elif self._advert_at is not None and self._advert_at <= now:
            self._advert_at = now + max(firmware.advertise(), 0.02)

    # --- link ---------------------------------------------------------------------------------------------------------

    def connect(self, now: float) -> list[Action]:
        """A central connects; the caller has checked `connectable`."""
        self.chip.now = now
        self.chip.connected = self.touched = True
        self._stalled_until = 0.0
        if self.firmware is not None:
            self._guarded(self.firmware.connected)
        for fault in self.faults.meet("connect"):
            self._apply(fault)
        return self._collect()

    def disconnect(self, now: float) -> list[Action]:
        """The link is gone: the central closed it, died, or went out of range."""
        self.chip.now = now
        self._delayed.clear()
        if self.chip.connected:
            self._drop_link()
        return self._collect()

    def _drop_link(self) -> None:
        self.chip.connected = False
        if self.firmware is not None:
            self._guarded(self.firmware.disconnected)
            self._advert_at = self.chip.now

    def write(self, now: float, char: str, data: bytes) -> list[Action]:
        """A write arrives. Raises AttError."""
        self.chip.now = now
        data, deliver, delay_s = self._message("write", char, data)
        if deliver and self.chip.connected:
            self._in_order(delay_s, lambda: self._deliver_write(char, data))
        return self._collect()

    def _in_order(self, delay_s: float, deliver: Callable[[], None]) -> None:
        self._stalled_until = max(self._stalled_until, self.chip.now + delay_s if delay_s else 0.0)
        if self._stalled_until > self.chip.now:
            late = (self._stalled_until, next(self._order), lambda: _unanswered(deliver))
            heapq.heappush(self._delayed, late)
        else:
            deliver()

    def _deliver_write(self, char: str, data: bytes) -> None:
        firmware = self.firmware
        if firmware is None or not self.chip.connected:
            return
        characteristic = firmware.gatt.find(char)
        if characteristic is None:
            raise AttError(AttError.ATTRIBUTE_NOT_FOUND)
        if not characteristic.properties & {"write", "write-without-response"}:
            raise AttError(AttError.WRITE_NOT_PERMITTED)
        self._guarded(lambda: firmware.write(char, data))

    def read(self, now: float, char: str) -> tuple[bytes, list[Action]]:
        """A read arrives; answers the value. Raises AttError, or NoAnswer."""
        self.chip.now = now
        _, deliver, _ = self._message("read", char, b"")
        if not deliver or not self.chip.connected or self.firmware is None:
            raise NoAnswer
        characteristic = self.firmware.gatt.find(char)
        if characteristic is None:
            raise AttError(AttError.ATTRIBUTE_NOT_FOUND)
        if "read" not in characteristic.properties:
            raise AttError(AttError.READ_NOT_PERMITTED)
        return self.firmware.read(char), self._collect()

    def subscribe(self, now: float, char: str, value: bytes) -> list[Action]:
        """The CCCD of `char` is written. Raises NoAnswer."""
        self.chip.now = now
        firmware = self.firmware
        if not self._message("write", CCCD, value)[1]:
            raise NoAnswer
        if firmware is not None and self.chip.connected:
            self._guarded(lambda: firmware.subscribe(char, value))
        return self._collect()

    # --- faults -------------------------------------------------------------------------------------------------------

    def _message(self, kind: str, char: str, data: bytes) -> tuple[bytes, bool, float]:
        """Data as it arrives, whether it arrives at all, and with what delay."""
        deliver, delay_s = True, 0.0
        self.traffic[kind] += 1
        for fault in self.faults.meet(f"{kind}:{char}"):
            if fault.kind == "garble" and data:
                data = bytes((data[0] ^ 0x10, *data[1:])) if len(data) == 1 else bytes((*data[:-1], data[-1] ^ 0x10))
            elif fault.kind == "delay":
                delay_s += fault.ms / 1000
            elif fault.kind == "lose":
                deliver = False
            else:
                self._apply(fault)
        return data, deliver, delay_s

    def _apply(self, fault: Fault) -> None:
        if fault.kind == "disconnect":
            if self.chip.connected:
                self.chip.emit(Vanish())
                self._drop_link()
        elif fault.kind == "reset":
            if fault.dark:
                self.go_dark()
            else:
                self._reset()
        elif fault.kind == "power_cut":
            self._power_failed()
        elif fault.kind == "battery":
            self.chip.cell.millivolts = fault.mv
            if fault.mv < BROWN_OUT_MV:
                self._lose_power()

    def _flash_operation(self, operation: FlashOperation) -> int | None:
        """Byte at which power fails during this operation, or None (virtual-unit.md 8)."""
        limit: int | None = None
        for fault in self.faults.meet("flash"):
            if fault.kind == "power_cut":
                limit = fault.byte
            elif fault.kind == "battery":
                self.chip.cell.millivolts = fault.mv
        if self.chip.cell.millivolts - self.chip.cell.sag_mv < FLASH_MINIMUM_MV:
            limit = limit or 0
        if operation.kind == "program" and limit is not None:
            return min(limit, max(len(operation.data) - 1, 0))
        return limit

    def _guarded(self, act: Callable[[], object]) -> None:
        try:
            act()
        except PowerLoss:
            self._power_failed()

    # --- outbox -------------------------------------------------------------------------------------------------------

    def _collect(self) -> list[Action]:
        """Take the actions out, with faults of notifications applied, and follow what they mean for this side."""
        actions, self._ready = self._ready, []
        while self.chip.outbox:
            taken, self.chip.outbox = self.chip.outbox, []
            for action in taken:
                actions += self._passed(action)
        return actions

    def _passed(self, action: Action) -> list[Action]:
        if isinstance(action, Notify):
            return self._notification(action)
        if isinstance(action, Advertise):
            return [action] if self.rssi_dbm is not None else []
        if isinstance(action, Terminate) and self.chip.connected:
            self._drop_link()
        return [action]

    def _notification(self, action: Notify) -> list[Action]:
        if not self.chip.connected and not self.faults.faults:
            return []
        data, deliver, delay_s = self._message("notify", action.char, action.data)
        if not deliver:
            return []
        if delay_s:
            late = Notify(action.char, data)
            push = (self.chip.now + delay_s, next(self._order), lambda: self._late(late))
            heapq.heappush(self._delayed, push)
            return []
        return [Notify(action.char, data)]

    def _late(self, action: Notify) -> None:
        if self.chip.connected:
            self._ready.append(action)
