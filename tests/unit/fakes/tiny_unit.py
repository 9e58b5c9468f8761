"""The smallest thing the radios take for a unit: an echo, refusals, ways to go, and a second table after a reboot."""

from __future__ import annotations

from mitherm.beacon import advert
from mitherm.model.address import Address
from mitherm.model.gatt import Characteristic, Descriptor, GattTable, Service
from mitherm.protocol import uuids
from mitherm.virtual.board.chip import Action, Advertise, AttError, Notify, RequestParameters, Terminate, Vanish
from mitherm.virtual.unit import NoAnswer

ECHO = "0000aaaa-0000-1000-8000-00805f9b34fb"
"""Commands by first byte: 01 notifies the rest, 02 n notifies n times, see `TinyUnit._command` for the others."""
SEALED = "0000bbbb-0000-1000-8000-00805f9b34fb"
"""Refuses reads with 05; may not be written."""
NEW = "0000cccc-0000-1000-8000-00805f9b34fb"
"""Exists after a reboot only."""
MUTE = "0000dddd-0000-1000-8000-00805f9b34fb"
"""Reads are never answered."""

TERMINATE, VANISH, REBOOT, NEVER_COME_BACK = b"\x10", b"\x11", b"\x12", b"\x13"
DARK_S = 0.8


def _first_table() -> GattTable:
    gap = Service(uuids.GAP, (Characteristic(uuids.DEVICE_NAME, frozenset({"read"}), 3, value=b"tiny"),), 1, 4)
    information = Service(
        uuids.DEVICE_INFORMATION,
        (Characteristic(uuids.MODEL_NUMBER, frozenset({"read"}), 18, value=b"TINY-1"),),
        16,
        18,
    )
    echo = Characteristic(
        ECHO,
        frozenset({"read", "write", "write-without-response", "notify"}),
        34,
        (Descriptor(uuids.CCCD, 35, b"\0\0"), Descriptor(uuids.USER_DESCRIPTION, 36, b"Echo")),
        b"echo!",
    )
    sealed = Characteristic(SEALED, frozenset({"read", "notify"}), 38, (Descriptor(uuids.CCCD, 39, b"\0\0"),))
    mute = Characteristic(MUTE, frozenset({"read"}), 41)
    return GattTable((gap, information, Service(uuids.short(0xAA00), (echo, sealed, mute), 32, 41)))


def _second_table() -> GattTable:
    new = Characteristic(NEW, frozenset({"read"}), 3, value=b"new")
    return GattTable((Service(uuids.short(0xCC00), (new,), 1, 3),))


class TinyUnit:
    """See `virtual/unit.py` for the contract of every method."""

    def __init__(self, address: str = "A4:C1:38:00:00:01", interval_s: float = 0.5, att_mtu: int = 23) -> None:
        self.address = Address.parse(address)
        self.rssi_dbm: int | None = -60
        self.gatt = _first_table()
        self.att_mtu = att_mtu
        self.supervision_s = 4.0
        self.interval_s = interval_s
        self.advertises_connectably = True
        self.running = True
        self.connected = False
        self.written: list[tuple[str, bytes]] = []
        self.subscriptions: list[tuple[str, bytes]] = []
        self.connections = 0
        self.frames = 0
        self._advert_at: float | None = 0.0
        self._boot_at: float | None = None

    @property
    def connectable(self) -> bool:
        return self.running and not self.connected and self.rssi_dbm is not None

    def wake_at(self) -> float | None:
        times = [self._boot_at, self._advert_at if self.running and not self.connected else None]
        known = [time for time in times if time is not None]
        return min(known) if known else None

    def advance(self, now: float) -> list[Action]:
        actions: list[Action] = []
        while (due := self.wake_at()) is not None and due <= now:
            if due == self._boot_at:
                self._boot_at, self._advert_at, self.running = None, due, True
                self.gatt = _second_table()
            else:
                self._advert_at = due + self.interval_s
                if self.rssi_dbm is not None:
                    actions.append(self._advert())
        return actions

    def _advert(self) -> Advertise:
        self.frames += 1
        tail = self.address.octets[-1]
        data = advert.flags_ad() + advert.service_data_ad(0x181A, bytes((tail, self.frames & 0xFF)))
        return Advertise(data, advert.name_ad(f"TINY_{tail:02X}"), self.advertises_connectably)

    def connect(self, now: float) -> list[Action]:
        if not self.connectable:
            raise RuntimeError("connected although not connectable")
        self.connected = True
        self.connections += 1
        return [RequestParameters(16, 16, 0, 400)]

    def disconnect(self, now: float) -> list[Action]:
        self._drop(now)
        return []

    def _drop(self, now: float) -> None:
        self.connected = False
        self._advert_at = now + 0.01

    def write(self, now: float, char: str, data: bytes) -> list[Action]:
        if not self.connected:
            return []
        if char != ECHO:
            raise AttError(AttError.WRITE_NOT_PERMITTED)
        self.written.append((char, data))
        return self._command(now, data)

    def _command(self, now: float, data: bytes) -> list[Action]:
        if data[:1] == b"\x01":
            return [Notify(ECHO, data[1:])]
        if data[:1] == b"\x02":
            return [Notify(ECHO, bytes((number,))) for number in range(data[1])]
        if data == TERMINATE:
            self._drop(now)
            return [Terminate(0x13)]
        if data in (VANISH, REBOOT, NEVER_COME_BACK):
            self._drop(now)
            self.running = data == VANISH
            self._boot_at = now + DARK_S if data == REBOOT else None
            return [Vanish()]
        return []

    def read(self, now: float, char: str) -> tuple[bytes, list[Action]]:
        if not self.connected or char == MUTE:
            raise NoAnswer
        if char == SEALED:
            raise AttError(AttError.INSUFFICIENT_AUTHENTICATION)
        characteristic = self.gatt.find(char)
        if characteristic is None:
            raise AttError(AttError.ATTRIBUTE_NOT_FOUND)
        return characteristic.value, []

    def subscribe(self, now: float, char: str, value: bytes) -> list[Action]:
        self.subscriptions.append((char, value))
        return []
