"""A folder of virtual units: created, opened, lived in, saved (virtual-unit.md 1)."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any, Final, Self

import tomli_w

from mitherm.errors import DeviceNotFound, FileMissing, SchemaTooNew, SettingsError, UsageProblem
from mitherm.model.address import Address
from mitherm.model.keys import MiKeys
from mitherm.protocol.effects import Entropy
from mitherm.store.lock import FileLock
from mitherm.virtual.board.chip import Cell, Chip, Climate
from mitherm.virtual.board.nor_flash import NorFlash
from mitherm.virtual.factory import make_unit
from mitherm.virtual.faults import FaultTable
from mitherm.virtual.spec import UnitSpec, with_address
from mitherm.virtual.unit import Unit

SCHEMA: Final = 1
SETTLE_S: Final = 60.0
"""A unit that had a link lives this long alone before it is saved: longer than every limit of a broken procedure."""
_FIRST_ADDRESS: Final = 0xA4C138000001


@dataclass(slots=True)
class Home:
    """One unit and the folder it lives in."""

    folder: Path
    unit: Unit


class World:
    """All units of a folder. `wall` gives the present moment, `now` arguments are seconds of the air's clock."""

    def __init__(self, folder: Path, homes: list[Home], lock: FileLock, wall: Callable[[], datetime]) -> None:
        self.folder = folder
        self.homes = homes
        self._lock = lock
        self._wall = wall

    @property
    def units(self) -> list[Unit]:
        """The units, in the order of their folders."""
        return [home.unit for home in self.homes]

    @classmethod
    def open(
        cls,
        folder: Path,
        *,
        now: float = 0.0,
        wait_s: float = 10.0,
        wall: Callable[[], datetime] = lambda: datetime.now(UTC),
        entropy: Entropy = os.urandom,
    ) -> Self:
        """Take the folder (one process at a time) and bring its units back to life. Raises FileMissing, Busy."""
        if not folder.is_dir():
            raise FileMissing(f"there is no folder {folder}", hint=f"make one with: mitherm virtual create {folder}")
        lock = _take(folder, wait_s)
        try:
            homes = [_load(path.parent, now, wall(), entropy) for path in sorted(folder.glob("*/state.toml"))]
        except BaseException:
            lock.release()
            raise
        return cls(folder, homes, lock, wall)

    def find(self, address: Address) -> Unit:
        """The unit with this address on the air, or in this folder; raises DeviceNotFound."""
        for home in self.homes:
            if home.unit.address == address:
                return home.unit
        for home in self.homes:
            if home.folder.name == address.compact:
                return home.unit
        raise DeviceNotFound(f"{address} is not in {self.folder}")

    def close(self, now: float) -> None:
        """Drop links, let pending limits run out, save, release the folder."""
        try:
            for home in self.homes:
                self._settle(home, now)
                self.save(home)
        finally:
            self._lock.release()

    def _settle(self, home: Home, now: float) -> None:
        unit = home.unit
        unit.disconnect(now)
        if not unit.touched:
            return
        until = now + SETTLE_S
        while (due := unit.wake_at()) is not None and due <= until:
            unit.advance(max(due, now))

    def save(self, home: Home) -> None:
        """Write flash.bin and state.toml, each atomically."""
        _save(home, self._wall())


def _save(home: Home, wall: datetime) -> None:
    replace_file(home.folder / "flash.bin", bytes(home.unit.chip.flash.data))
    replace_file(home.folder / "state.toml", tomli_w.dumps(_state(home.unit, wall)).encode())


# --- creating ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CreatedUnit:
    """A new unit with the keys it was born with."""

    address: Address
    spec: UnitSpec
    keys: MiKeys | None


def create_units(
    folder: Path,
    specs: Iterable[UnitSpec],
    *,
    seed: int | None = None,
    wall: Callable[[], datetime],
    wait_s: float = 10.0,
) -> list[CreatedUnit]:
    """Add all units to `folder`, or none; raises UsageProblem for an address that is already there, Busy."""
    entropy: Entropy = os.urandom if seed is None else Random(seed).randbytes
    folder.mkdir(parents=True, exist_ok=True)
    lock = _take(folder, wait_s)
    try:
        homes = [_make(folder, spec, entropy) for spec in _addressed(folder, specs)]
        for home, _ in homes:
            home.folder.mkdir()
            _save(home, wall())
        return [created for _, created in homes]
    finally:
        lock.release()


def _addressed(folder: Path, specs: Iterable[UnitSpec]) -> list[UnitSpec]:
    taken = {path.parent.name for path in folder.glob("*/state.toml")}
    done: list[UnitSpec] = []
    specs = list(specs)
    reserved = {spec.address.compact for spec in specs if spec.address is not None}
    for spec in specs:
        address = spec.address or _free_address(taken | reserved)
        if address.compact in taken:
            raise UsageProblem(f"{address} is already in {folder}")
        taken.add(address.compact)
        done.append(with_address(spec, address))
    return done


def _free_address(taken: set[str]) -> Address:
    number = _FIRST_ADDRESS
    while f"{number:012x}" in taken:
        number += 1
    return Address(number.to_bytes(6, "big"))


def _make(folder: Path, spec: UnitSpec, entropy: Entropy) -> tuple[Home, CreatedUnit]:
    if spec.address is None:
        raise ValueError("the address must be chosen first")
    factory_state = make_unit(spec, entropy)
    chip = Chip(
        flash=factory_state.flash,
        model=spec.model,
        hardware=spec.hardware,
        cell=Cell(spec.battery_mv, spec.sag_mv, spec.inserted),
        climate=Climate(spec.temperature_c, spec.humidity_pct),
        entropy=entropy,
    )
    unit = Unit(chip, rssi_dbm=None if spec.rssi_dbm is False else int(spec.rssi_dbm))
    unit.power_up(0.0)
    if spec.name is not None:
        _store_name(unit, spec.name)
    unit.faults = FaultTable.from_tables(spec.faults)
    return Home(folder / spec.address.compact, unit), CreatedUnit(spec.address, spec, factory_state.keys)


def _store_name(unit: Unit, name: str) -> None:
    """The name record is written the way a client does it: command 01 over a link, then the reboot it arms."""
    from mitherm.protocol.uuids import CUSTOM_COMMAND

    unit.connect(1.0)
    unit.write(1.0, CUSTOM_COMMAND, b"\x01" + name.encode()[:17])
    unit.disconnect(1.5)
    unit.advance(10.0)


# --- state files ------------------------------------------------------------------------------------------------------


def _state(unit: Unit, wall: datetime) -> dict[str, object]:
    chip, firmware = unit.chip, unit.firmware
    state: dict[str, object] = {
        "schema": SCHEMA,
        "unit": {"model": chip.model, "hardware": chip.hardware},
        "battery": {
            "millivolts": chip.cell.millivolts,
            "sag_mv": chip.cell.sag_mv,
            "inserted": chip.cell.inserted,
        },
        "climate": {"temperature_c": chip.climate.temperature_c, "humidity_pct": chip.climate.humidity_pct},
        "position": {"rssi_dbm": False if unit.rssi_dbm is None else unit.rssi_dbm},
        "run": {
            "powered": unit.powered,
            "dark": unit.dark_for_ever,
            "clock_s": firmware.clock_s() if firmware is not None else 0,
            "saved_at": wall.isoformat(timespec="seconds"),
            "send_count": int(getattr(firmware, "send_count", 0) or 0),
            "warm": {key: value for key, value in chip.warm.items() if isinstance(value, bool | int | str)},
        },
        "faults": unit.faults.to_tables(),
    }
    if unit.last_update is not None:
        state["last_update"] = {"result": unit.last_update[0], "reason": unit.last_update[1]}
    return state


def _load(folder: Path, now: float, wall: datetime, entropy: Entropy) -> Home:
    try:
        state = tomllib.loads((folder / "state.toml").read_text())
        flash = NorFlash(bytearray((folder / "flash.bin").read_bytes()))
        unit = _unit(state, flash, entropy)
    except (tomllib.TOMLDecodeError, KeyError, TypeError, ValueError) as problem:
        raise SettingsError(f"{folder}: not a virtual unit: {problem}") from problem
    except FileNotFoundError as problem:
        raise FileMissing(f"{folder}: {problem.filename} is missing") from problem
    run = state.get("run", {})
    unit.chip.warm.update(run.get("warm", {}))
    if run.get("dark"):
        unit.go_dark()
    if run.get("powered", True):
        unit.resume(
            now, _idle_s(run.get("saved_at"), wall), clock_s=run.get("clock_s"), send_count=run.get("send_count")
        )
    elif unit.chip.cell.inserted:
        unit.power_up(now)
    return Home(folder, unit)


def _unit(state: Mapping[str, Any], flash: NorFlash, entropy: Entropy) -> Unit:
    if state.get("schema", SCHEMA) > SCHEMA:
        raise SchemaTooNew("this virtual unit was written by a newer mitherm")
    chip = Chip(
        flash=flash,
        model=state["unit"]["model"],
        hardware=state["unit"]["hardware"],
        cell=Cell(**state.get("battery", {})),
        climate=Climate(**state.get("climate", {})),
        entropy=entropy,
    )
    rssi = state.get("position", {}).get("rssi_dbm", -60)
    unit = Unit(
        chip, faults=FaultTable.from_tables(state.get("faults", {})), rssi_dbm=None if rssi is False else int(rssi)
    )
    update = state.get("last_update")
    unit.last_update = (update["result"], update["reason"]) if update else None
    return unit


def _idle_s(saved_at: str | None, wall: datetime) -> float:
    if saved_at is None:
        return 0.0
    return max(0.0, (wall - datetime.fromisoformat(saved_at)).total_seconds())


def replace_file(path: Path, data: bytes) -> None:
    """Write a file in one step, so that a reader sees the old or the new content."""
    temporary = path.with_name(path.name + ".new")
    temporary.write_bytes(data)
    temporary.replace(path)


def _take(folder: Path, wait_s: float) -> FileLock:
    return FileLock.take(folder / ".lock", wait_s, what=folder)
