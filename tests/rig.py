"""Operations over virtual units, in process and on simulated time, the way the command line puts them together."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from contextlib import asynccontextmanager
from copy import copy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self, TypeVar

from mitherm.image.synth import package
from mitherm.model.address import Address
from mitherm.ops.bench import Bench, Stores
from mitherm.protocol.events import Event
from mitherm.protocol.uuids import OTA
from mitherm.store.inventory import Inventory
from mitherm.store.journal import Journal
from mitherm.store.library import Library
from mitherm.store.vault import Vault
from mitherm.virtual.board.chip import Action
from mitherm.virtual.clock import VirtualClockLoop
from mitherm.virtual.faults import Fault, FaultTable
from mitherm.virtual.loopback.radio import Loopback
from mitherm.virtual.mi_home.account import MiHome
from mitherm.virtual.spec import UnitSpec, parse_spec
from mitherm.virtual.unit import Unit
from mitherm.virtual.world import World, create_units

T = TypeVar("T")
UNIT = Address.parse("A4:C1:38:00:00:01")


def wall() -> datetime:
    """The present."""
    return datetime.now(UTC)


class Overheard(FaultTable):
    """The faults of a unit, with an ear for what passes."""

    def __init__(self, faults: FaultTable, messages: list[str]) -> None:
        super().__init__(faults.faults)
        self._messages = messages

    def meet(self, event: str) -> Iterable[Fault]:
        """Note the event."""
        self._messages.append(event)
        return super().meet(event)


class Rig:
    """A folder of virtual units and the stores of one user."""

    def __init__(self, folder: Path, *specs: str | UnitSpec) -> None:
        self.folder = folder / "units"
        self.home = folder / "home"
        self.events: list[Event] = []
        made = create_units(
            self.folder, [parse_spec(one) if isinstance(one, str) else one for one in specs], seed=7, wall=wall
        )
        mi_home = MiHome.open(self.folder, os.urandom, wall)
        for unit in made:
            if unit.keys is not None and unit.spec.bound == "mi-home":
                mi_home.enter(unit.address, unit.keys, unit.spec.model)
        mi_home.save()
        self.keys = {unit.address: unit.keys for unit in made}
        self.link_times: list[float] = []
        """When each connection so far was made, on the clock of its run."""
        self.writes: list[tuple[str, bytes]] = []
        """Everything that was written to a unit so far: characteristic and value."""
        self.messages: list[str] = []
        """Everything that passed a unit so far, by the names that faults give it."""
        self.on_air: Callable[[Unit], None] = lambda unit: None
        """What happens to each unit once it runs: for states that no flash content explains."""

    @property
    def stores(self) -> Stores:
        """The user's stores."""
        return Stores(
            Vault(self.home / "vault"),
            Journal(self.home / "journal.jsonl"),
            Inventory(self.home / "inventory.json"),
            Library(self.home / "images"),
        )

    def shelve(self, *kinds: str) -> None:
        """Put synthetic images into the library."""
        for kind in kinds:
            self.stores.library.add(package(kind), name=kind, kind=kind, now=wall())

    def hand_over_keys(self) -> None:
        """The user imports the keys the units were made with."""
        for address, keys in self.keys.items():
            if keys is not None:
                self.stores.vault.add(address, keys, "import", wall())

    @asynccontextmanager
    async def bench(self, **more: Any) -> AsyncIterator[Bench]:
        """A bench over the in-memory radio; the units are saved at the end."""
        loop = asyncio.get_running_loop()
        world = World.open(self.folder, now=loop.time())
        for unit in world.units:
            self._listen(unit)
        try:
            async with Loopback(world.units, name="virtual:test") as radio:
                yield Bench(
                    radio=radio,
                    stores=self.stores,
                    entropy=os.urandom,
                    wall=wall,
                    clock=loop.time,
                    tell=self.events.append,
                    **{"ask": lambda question: True, "allow_synthetic": True, **more},
                )
        finally:
            world.close(loop.time())

    def at(self, folder: Path) -> Self:
        """The same units and stores in a copy of the folder."""
        rig = copy(self)
        rig.folder, rig.home = folder / "units", folder / "home"
        rig.link_times, rig.writes, rig.events, rig.messages = [], [], [], []
        return rig

    def _listen(self, unit: Unit) -> None:
        self.on_air(unit)
        connect, write = unit.connect, unit.write

        def connected(now: float) -> list[Action]:
            self.link_times.append(now)
            return connect(now)

        def written(now: float, char: str, data: bytes) -> list[Action]:
            self.writes.append((char, data))
            return write(now, char, data)

        unit.connect, unit.write = connected, written
        unit.faults = Overheard(unit.faults, self.messages)

    @property
    def links(self) -> int:
        """Connections made so far."""
        return len(self.link_times)

    @property
    def updates_begun(self) -> int:
        """Writes to the characteristic of the update so far."""
        return sum(char == OTA for char, _ in self.writes)

    def fault(self, *faults: Fault, address: Address = UNIT) -> None:
        """Plant faults; they lie in the unit's state file and wait."""
        self.world(lambda world: world.find(address).faults.faults.extend(faults))

    def run(self, work: Callable[[Bench], Coroutine[Any, Any, T]], **more: Any) -> T:
        """Run one operation on a fresh bench."""

        async def inside() -> T:
            async with self.bench(**more) as bench:
                return await work(bench)

        with asyncio.Runner(loop_factory=VirtualClockLoop) as runner:
            return runner.run(inside())

    def world(self, act: Callable[[World], T]) -> T:
        """Look at or change the units themselves."""
        world = World.open(self.folder)
        try:
            return act(world)
        finally:
            world.close(0.0)

    def flash(self, address: Address = UNIT) -> bytes:
        """The flash of a unit as it lies on disk."""
        return (self.folder / address.compact / "flash.bin").read_bytes()

    def mi_home_adds(self, address: Address = UNIT) -> None:
        """The virtual Mi Home adds the unit; raises MiHomeRefused with its code."""
        home = MiHome.open(self.folder, os.urandom, wall)
        self.world(lambda world: home.add(world, address, 0.0))
