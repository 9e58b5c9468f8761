"""What one beacon said, or why it could not be read (beacons.md 9).

Numbers are exact decimals: an integer, or the float nearest to `integer / power of ten`, so that `repr` shows the digits
that were sent (21.37, never 21.369999). The classes are slotted but not frozen: `object.__setattr__` for every field would
double the time a frame takes. Treat them as values.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from mitherm.model.address import Address
from mitherm.model.family import BeaconFormat

BeaconError: TypeAlias = Literal[
    "uuid", "length", "truncated", "version", "mesh", "no-key", "key-length", "auth-failed", "no-address"
]
"""Names of beacons.md 9, and `no-address`: the nonce needs a MAC that neither the frame nor the system shows."""


class Flags(NamedTuple):
    """Flags byte of pvvx frames, bits 0 to 6 (beacons.md 4.1)."""

    reed: bool
    output: bool
    trigger_on: bool
    temp_event: bool
    humi_event: bool
    key: bool
    reed2: bool

    @property
    def byte(self) -> int:
        """The byte as sent."""
        return sum(bit << index for index, bit in enumerate(self))


Scalar: TypeAlias = float | str | Flags | Mapping[str, float | str]
"""A number (temperatures in C, humidity and battery in %, voltage in V), the name of an event, a text, flags, or the
parts of an event that has several (`{"event": "rotate_left", "steps": 3}`)."""
Value: TypeAlias = Scalar | list[Scalar]
"""What was sent once, or several times in one frame: in order of appearance."""


def number_in(values: Mapping[str, Value], name: str) -> float | None:
    """A quantity, the first one if it was sent several times; None where it is missing or no number."""
    value = values.get(name)
    if isinstance(value, list):
        value = value[0]
    return value if isinstance(value, int | float) else None


_LIMITS: Final = {"temperature": (-100, 400), "humidity": (0, 100), "battery": (0, 100), "voltage": (0, 60)}
"""Far beyond what any sensor of these formats measures (BTHome carries other devices too), near enough for nonsense."""


def is_possible(name: str, value: Value) -> bool:
    """Whether this can have been measured: BTHome v1 may send text, MiBeacon any float, a broken sensor 655 %."""
    limits = _LIMITS.get(name)
    if limits is None:
        return True
    if isinstance(value, list):
        return all(is_possible(name, each) for each in value)
    return isinstance(value, int | float) and limits[0] <= value <= limits[1]


FLAGS: Final = tuple(Flags(*(bool(byte >> bit & 1) for bit in range(7))) for byte in range(256))
"""Flags by byte."""


@dataclass(frozen=True, slots=True)
class MiHeader:
    """Head of a MiBeacon frame (beacons.md 6.1)."""

    control: int
    product_id: int
    capability: int | None = None
    io_capability: int | None = None

    @property
    def version(self) -> int:
        """2 to 5."""
        return self.control >> 12

    @property
    def encrypted(self) -> bool:
        """The objects are encrypted: proof of being bound if there are any."""
        return bool(self.control & 0x08)

    @property
    def has_object(self) -> bool:
        """The frame carries objects; without, it is an idle frame."""
        return bool(self.control & 0x40)

    @property
    def registered(self) -> bool:
        """Not reliable: a bound LYWSD03MMC sends 0 (beacons.md 6.1)."""
        return bool(self.control & 0x100)

    @property
    def solicited(self) -> bool:
        """The confirm button was just pressed."""
        return bool(self.control & 0x200)

    @property
    def auth_mode(self) -> int:
        """0 old, 1 secure chip, 2 standard."""
        return self.control >> 10 & 3

    def fields(self) -> dict[str, Any]:
        """By the names of beacons.md 9."""
        named = {
            "mi_version": self.version,
            "product_id": self.product_id,
            "encrypted": self.encrypted,
            "registered": self.registered,
            "solicited": self.solicited,
            "auth_mode": self.auth_mode,
        }
        optional = {"capability": self.capability, "io_capability": self.io_capability}
        return named | {name: value for name, value in optional.items() if value is not None}


@dataclass(slots=True)
class Reading:
    """One decoded frame. `values` holds only what was sent, by the names of beacons.md 9 (C, %, V)."""

    format: BeaconFormat
    values: dict[str, Value]
    packet_id: int | None = None
    counter: int | None = None
    """32-bit counter of encrypted frames."""
    authenticated: bool = False
    """Decrypted, with a right 4-byte tag."""
    mac: bytes | None = None
    """The address inside the frame, display order."""
    mac_mismatch: bool = False
    """The address inside is not the advertiser's."""
    mi: MiHeader | None = None
    bthome: int | None = None
    """First byte of BTHome v2."""
    unknown: dict[str, bytes] = field(default_factory=dict)
    """Objects nobody knows: id in hex to data."""
    undecoded: bytes = b""
    """The rest that could not be read."""

    @property
    def temperature_c(self) -> float | None:
        """Temperature; the first one if there are several."""
        return number_in(self.values, "temperature")

    @property
    def humidity_pct(self) -> float | None:
        """Relative humidity; the first one if there are several."""
        return number_in(self.values, "humidity")

    @property
    def battery_pct(self) -> int | None:
        """Battery as the unit says it; scales differ between firmwares (beacons.md 2)."""
        percent = number_in(self.values, "battery")
        return None if percent is None else int(percent)

    @property
    def voltage_v(self) -> float | None:
        """Battery voltage, only if it was sent."""
        return number_in(self.values, "voltage")

    @property
    def address(self) -> Address | None:
        """The address inside the frame."""
        return None if self.mac is None else Address(self.mac)

    @property
    def encrypted(self) -> bool:
        """Sent encrypted."""
        return self.authenticated or (self.mi is not None and self.mi.encrypted)

    def fields(self) -> dict[str, Any]:
        """Everything by the names of beacons.md 9, ready for JSON."""
        named: dict[str, Any] = {"format": self.format}
        if self.mi is not None:
            named |= self.mi.fields()
        elif self.format.bthome:
            named["encrypted"] = self.authenticated
        if self.bthome is not None:
            named["trigger_based"] = bool(self.bthome & 0x04)
        if self.packet_id is not None:
            named["packet_id"] = self.packet_id
        if self.counter is not None:
            named["counter"] = self.counter
        if self.mac is not None:
            named |= {"mac": str(Address(self.mac)), "mac_mismatch": self.mac_mismatch}
        named |= {name: _plain(value) for name, value in self.values.items()}
        if self.unknown:
            named["unknown_objects"] = {number: data.hex() for number, data in self.unknown.items()}
        if self.undecoded:
            named["undecoded"] = self.undecoded.hex()
        return named


@dataclass(slots=True)
class DecodeFailure:
    """Why a frame gave no reading. Product, encryption and address stand in the head, readable without a key."""

    error: BeaconError
    format: BeaconFormat | None = None
    mi: MiHeader | None = None
    mac: bytes | None = None
    """The address in the head of the frame, display order."""

    @property
    def address(self) -> Address | None:
        """The address in the head of the frame."""
        return None if self.mac is None else Address(self.mac)


def _plain(value: Value) -> object:
    return value._asdict() if isinstance(value, Flags) else value
