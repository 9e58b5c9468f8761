"""A folder of virtual units: made, looked at, changed, served; and the Mi Home app that plays with them."""

from __future__ import annotations

import asyncio
import os
import tomllib
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Final

from mitherm.errors import FileMissing, SettingsError, UsageProblem
from mitherm.model.address import Address
from mitherm.model.record import KeyGeneration
from mitherm.model.unit_state import UnitState
from mitherm.virtual.mi_home.account import MiHome
from mitherm.virtual.spec import UnitSpec, parse_spec, spec_from_table
from mitherm.virtual.view import change, change_battery, state_of
from mitherm.virtual.world import CreatedUnit, World, create_units
from mitherm.wiring.bench import present
from mitherm.wiring.interrupts import interruptible

_FACTORY_DID: Final = "factory_did"


@dataclass(frozen=True, slots=True)
class VirtualUnits:
    """The units in `folder`, which open_bench takes as `virtual:FOLDER`. Everything is saved at once.

    `timeout_s`: how long to wait for a process that uses the folder. Every method raises FileMissing where there is no
    folder, Busy, DeviceNotFound, and UsageProblem for an address that is none.
    """

    folder: Path
    timeout_s: float = 30.0

    # --- the units ----------------------------------------------------------------------------------------------------

    def create(self, specs: Iterable[str | UnitSpec], *, seed: int | None = None) -> list[CreatedUnit]:
        """Add units, all or none; makes the folder. A spec is FIRMWARE[,key=value...], as after `virtual create --unit`.

        `seed` makes everything random repeatable. Raises SettingsError, UsageProblem for an address that is taken.
        """
        parsed = [parse_spec(spec) if isinstance(spec, str) else spec for spec in specs]
        created = create_units(self.folder, parsed, seed=seed, wall=present, wait_s=self.timeout_s)
        home = self._mi_home()
        for unit in created:
            if unit.keys is not None and unit.spec.bound == "mi-home":
                home.enter(unit.address, unit.keys, unit.spec.model)
        home.save()
        return created

    def states(self) -> list[UnitState]:
        """Every unit as an omniscient observer sees it."""
        states: list[UnitState] = []
        self._act(lambda world: states.extend(map(state_of, world.units)))
        return states

    def change(self, address: Address | str, values: Mapping[str, str]) -> None:
        """Change a unit's surroundings, by the names of `virtual set`. Raises SettingsError."""
        unit = _address(address)
        self._act(lambda world: change(world.find(unit), values))
        if _FACTORY_DID in values:
            home = self._mi_home()
            home.know(values[_FACTORY_DID], unit)
            home.save()

    def battery(self, address: Address | str, what: str) -> None:
        """Take the cell `out`, put it `in`, or give it another voltage in millivolts. Raises SettingsError."""
        unit = _address(address)
        self._act(lambda world: change_battery(world.find(unit), what))

    def reset_pad(self, address: Address | str) -> None:
        """Short the reset pad to ground with the cell in, long enough for every firmware's rule."""
        unit = _address(address)
        self._act(lambda world: world.find(unit).reset_pad(0.0))

    @asynccontextmanager
    async def serve(self, monikers: Iterable[str]) -> AsyncIterator[list[str]]:
        """Run the units in real time for other processes, at HCI endpoints; gives the monikers, port 0
        replaced by the real one.

        Units are saved at the end and after every reboot. Raises UsageProblem, Unavailable.
        """
        from mitherm.virtual.air.serve import serve  # loads a Bluetooth controller

        loop = asyncio.get_running_loop()
        with interruptible():
            world = World.open(self.folder, now=loop.time(), wait_s=self.timeout_s)
        try:
            for home in world.homes:
                home.unit.on_reboot = partial(world.save, home)
            async with serve(world.units, monikers) as endpoints:
                yield endpoints
        finally:
            world.close(loop.time())

    # --- Mi Home ------------------------------------------------------------------------------------------------------

    def mi_home_add(self, address: Address | str) -> None:
        """Mi Home adds a unit: the app's side of registration. Raises MiHomeRefused with the app's code."""
        unit, home = _address(address), self._mi_home()
        self._act(lambda world: home.add(world, unit, 0.0))

    def mi_home_sync(self, address: Address | str) -> None:
        """Mi Home logs in with the account's token, as when it reads values. Raises MiHomeRefused."""
        unit, home = _address(address), self._mi_home()
        self._act(lambda world: home.sync(world, unit, 0.0))

    def mi_home_remove(self, address: Address | str) -> None:
        """Delete a unit from the account; the unit itself is not touched."""
        self._mi_home().remove(_address(address))

    def mi_home_keys(self, address: Address | str) -> KeyGeneration:
        """Token, bind key and DID as the account has them. Raises MiHomeRefused when the unit is not in it."""
        unit = _address(address)
        entry = self._mi_home().live(unit)
        added = datetime.fromisoformat(entry.added) if entry.added else present()
        return KeyGeneration("account", unit, entry.keys, "virtual-mi-home", added, confirmed=added)

    # ------------------------------------------------------------------------------------------------------------------

    def _act(self, act: Callable[[World], float | None]) -> None:
        """Act on the folder in simulated time, which begins at 0; `act` returns what time it is then. Saved also after errors."""
        world, now = World.open(self.folder, wait_s=self.timeout_s), 0.0
        try:
            now = act(world) or now
        finally:
            world.close(now)

    def _mi_home(self) -> MiHome:
        if not self.folder.is_dir():
            raise FileMissing(
                f"there is no folder {self.folder}", hint=f"make one with: mitherm virtual create {self.folder}"
            )
        return MiHome.open(self.folder, os.urandom, present)


def read_fleet(path: Path) -> list[UnitSpec]:
    """The [[unit]] tables of a TOML file. Raises FileMissing, SettingsError."""
    try:
        table = tomllib.loads(path.read_text())
    except FileNotFoundError:
        raise FileMissing(f"there is no file {path}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as problem:
        raise SettingsError(f"{path}: {problem}") from None
    return [spec_from_table(entry) for entry in table.get("unit", [])]


def _address(address: Address | str) -> Address:
    if isinstance(address, Address):
        return address
    try:
        return Address.parse(address)
    except ValueError as problem:
        raise UsageProblem(str(problem)) from None
