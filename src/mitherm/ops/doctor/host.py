"""What this computer is like: small looks at files, each given what to look at; nothing is changed."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, Literal, TypeAlias

from mitherm.model.address import Address

DbusState: TypeAlias = Literal["ok", "missing", "denied"]

SYS: Final = Path("/sys/class")
PROC: Final = Path("/proc")
DEV: Final = Path("/dev")
DBUS_SOCKET: Final = Path("/run/dbus/system_bus_socket")
BLUEZ: Final = Path("/var/lib/bluetooth")
SCANNERS: Final = frozenset(
    {
        "hcitool",
        "hcidump",
        "btmon",
        "bluetoothctl",
        "hass",
        "python3-ble",
        "theengs",
        "bluepy-helper",
        "aioblescan",
        "gatttool",
    }
)
"""Programs that are known to scan."""
EARLIEST: Final = datetime(2025, 1, 1, tzinfo=UTC)
"""No clock that is right shows an earlier time: this program is younger."""
SLACK: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class SerialPort:
    """A port that a wire adapter may sit on."""

    path: str
    writable: bool
    latency_ms: int | None = None
    """FTDI: 16 by default, which is too slow for the wire."""


@dataclass(frozen=True, slots=True)
class Host:
    """Facts; `checked` is False where the radio is not this computer's, and then only `problem` counts."""

    checked: bool = False
    problem: str | None = None
    """Reason of RadioUnavailable: off, denied, no-adapter, busy, no-service, unknown."""
    message: str = ""
    adapters: tuple[str, ...] = ()
    blocked: Literal["soft", "hard"] | None = None
    dbus: DbusState = "ok"
    scanners: tuple[str, ...] = ()
    cached: bool = False
    """Whether BlueZ keeps a service table of the unit."""
    ports: tuple[SerialPort, ...] = ()
    clock: str | None = None
    """What is wrong with the clock."""


def adapters(sys_class: Path = SYS) -> tuple[str, ...]:
    """hci0, hci1, ..."""
    return tuple(sorted(path.name for path in (sys_class / "bluetooth").glob("hci*") if ":" not in path.name))


def blocked(sys_class: Path = SYS) -> Literal["soft", "hard"] | None:
    """Whether rfkill holds every Bluetooth radio down, by software or by a switch."""
    states = [
        ("hard" if _text(path / "hard") == "1" else "soft" if _text(path / "soft") == "1" else None)
        for path in (sys_class / "rfkill").glob("rfkill*")
        if _text(path / "type") == "bluetooth"
    ]
    if not states or None in states:
        return None
    return "hard" if "hard" in states else "soft"


def dbus_state(socket: Path = DBUS_SOCKET, access: Callable[[Path, int], bool] = os.access) -> DbusState:
    """Whether the system bus is there and lets us in."""
    if not socket.exists():
        return "missing"
    return "ok" if access(socket, os.R_OK | os.W_OK) else "denied"


def scanners(proc: Path = PROC, known: Iterable[str] = SCANNERS) -> tuple[str, ...]:
    """Running programs that may hold the adapter."""
    names = {_text(path / "comm") for path in proc.glob("[0-9]*")}
    return tuple(sorted(names & set(known)))


def cached_table(address: str, bluez: Path = BLUEZ) -> bool:
    """Whether BlueZ keeps a service table of the unit; False where the folder may not be read."""
    try:
        return any(path.name == address for path in bluez.glob("*/cache/*"))
    except OSError:
        return False


def serial_ports(
    dev: Path = DEV, sys_class: Path = SYS, access: Callable[[Path, int], bool] = os.access
) -> tuple[SerialPort, ...]:
    """USB serial ports, whether we may use them, and their latency."""
    devices = sorted((*dev.glob("ttyUSB*"), *dev.glob("ttyACM*")))
    return tuple(
        SerialPort(str(path), access(path, os.R_OK | os.W_OK), _latency(path.name, sys_class)) for path in devices
    )


def _latency(name: str, sys_class: Path) -> int | None:
    text = _text(sys_class / "tty" / name / "device" / "latency_timer")
    return int(text) if text.isdigit() else None


def clock_problem(now: datetime, newest_record: datetime | None) -> str | None:
    """Why the clock of this computer cannot be right; None when nothing speaks against it."""
    if now < EARLIEST:
        return f"this computer believes it is {now:%Y-%m-%d}"
    if newest_record is not None and newest_record > now + SLACK:
        return f"this computer believes it is {now:%Y-%m-%d}, but the journal goes on until {newest_record:%Y-%m-%d}"
    return None


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""


def this_host(address: Address | None, *, used: bool) -> Host:
    """All of it. `used`: whether this computer's Bluetooth is the radio; where it is not, it does not count."""
    if not used:
        return Host(ports=serial_ports())
    return Host(
        checked=True,
        adapters=adapters(),
        blocked=blocked(),
        dbus=dbus_state(),
        scanners=scanners(),
        cached=address is not None and cached_table(str(address)),
        ports=serial_ports(),
    )
