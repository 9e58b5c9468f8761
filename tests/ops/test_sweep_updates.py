"""Cut link and power after every message of `flash` and `bring`: one repeat ends where an undisturbed run ends.

Images are short (256 blocks), everything else is as in life. `make sweep` tries every message and every flash operation;
by default a part of them, a different part for each way of cutting.
"""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import made_images
import pytest

from mitherm.errors import MithermError
from mitherm.image.boot_rules import boot_verdict
from mitherm.image.shipped import shipped_catalogue
from mitherm.model.keys import did_text
from mitherm.ops.updating.execute import UpdateResult
from mitherm.ops.updating.flash import bring, flash
from mitherm.protocol.uuids import OTA
from mitherm.virtual.board.mi_records import MiRecordStore
from mitherm.virtual.boot import bank_bytes, running_bank
from mitherm.virtual.faults import Fault
from mitherm.virtual.world import World
from rig import UNIT, Rig, wall

WHOLE = os.environ.get("MITHERM_SWEEP") == "full"
PART = 32
"""By default every thirty-second case."""
CUTS = ("disconnect", "reset", "power_cut")
IMAGES = ("pvvx-5.8", "stock-1.0.0_0130")


@dataclass(frozen=True)
class Journey:
    """What is done to which unit."""

    name: str
    spec: str
    goal: str
    image: str = ""
    """For `flash`."""

    def begin(self, folder: Path) -> Rig:
        """The unit, its keys, and short images."""
        rig = Rig(folder, self.spec)
        rig.hand_over_keys()
        for kind in IMAGES:
            rig.stores.library.add(made_images.small(kind), name=kind, kind=kind, now=wall())
        return rig

    def go(self, rig: Rig) -> UpdateResult:
        """The one command."""
        if self.image:
            return rig.run(lambda bench: flash(bench, str(UNIT), self.image))
        return rig.run(lambda bench: bring(bench, str(UNIT), self.goal))


JOURNEYS = (
    Journey("new unit to pvvx", "stock-1.0.0_0130", "pvvx"),
    Journey("back to stock", "pvvx-5.8,bound=mi-home", "stock"),
    Journey("cure of -29", "stock-1.0.0_0130,bound=flasher", "mi-home-ready"),
    Journey("flash", "stock-1.0.0_0109,bound=mi-home", "", "pvvx-5.8"),
)


@dataclass(frozen=True)
class State:
    """What must be the same however the unit got there."""

    firmware: str
    display: str
    did: bool
    bound: bool
    keys_known: bool
    """The vault has the keys that the unit holds."""
    old_keys_known: bool
    """The vault has the keys that the unit was born with."""


def state(rig: Rig) -> State:
    """From the flash of the unit and the vault of the user."""

    def look(world: World) -> State:
        unit = world.find(UNIT)
        memory = unit.chip.flash
        bank = running_bank(memory)
        assert bank is not None, "the unit is dead"
        verdict = boot_verdict(bank_bytes(memory, bank), shipped_catalogue())
        records = [MiRecordStore(memory, home) for home in (0x78000, 0x79000) if not memory.is_blank(home, 4)]
        did, keys = (records[0].find(0x0001), records[0].find(0x0010)) if records else (None, None)
        assert did is None or did_text(did)
        return State(
            f"{verdict.family} {verdict.version}",
            unit.display,
            did is not None,
            keys is not None,
            keys is None or keys in known(rig),
            rig.keys[UNIT] is None or rig.keys[UNIT].record in known(rig),
        )

    return rig.world(look)


def known(rig: Rig) -> set[bytes]:
    """All key records in the vault."""
    pairs = [one.keys for one in rig.stores.vault.generations(UNIT)]
    return {keys.record for keys in pairs if keys.token is not None and keys.bind_key is not None}


def moments(events: list[str]) -> Iterator[tuple[str, int]]:
    """Place and number of every message, of update packets and their reads only some."""
    counts: dict[str, int] = {}
    packets = {place: [n for n, _ in _numbered(events, place)] for place in (f"write:{OTA}", f"read:{OTA}")}
    chosen = {place: {*found[:4], *found[4::64], *found[-4:]} for place, found in packets.items()}
    for event in events:
        kind = event.partition(":")[0]
        if kind not in ("write", "read", "notify", "connect"):
            continue
        counts[kind] = counts.get(kind, 0) + 1
        if event not in chosen or counts[kind] in chosen[event]:
            yield ("connect" if kind == "connect" else f"{kind}:*", counts[kind])


def _numbered(events: list[str], place: str) -> Iterator[tuple[int, str]]:
    """Messages of the same kind, numbered, where they are of `place`."""
    kind = place.partition(":")[0]
    same = [event for event in events if event.startswith(kind)]
    return ((n, event) for n, event in enumerate(same, 1) if event == place)


@pytest.fixture(scope="module", params=JOURNEYS, ids=lambda journey: journey.name)
def measured(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple:
    """A journey, its starting point, its end, and every message on the way."""
    folder = tmp_path_factory.mktemp("sweep")
    journey = request.param
    start = journey.begin(folder / "start")
    shutil.copytree(folder / "start", folder / "calm")
    calm = start.at(folder / "calm")
    assert journey.go(calm).outcome == "verified"
    return journey, start, state(calm), calm.messages


@pytest.mark.timeout(3600 if WHOLE else 120)
@pytest.mark.parametrize("cut", CUTS)
def test_cut_anywhere(tmp_path: Path, measured: tuple, cut: str) -> None:
    """Whatever message was the last, the same command ends as if nothing had happened, and no key is lost."""
    journey, start, end, messages = measured
    cases = list(moments(messages))
    for place, n in cases if WHOLE else cases[CUTS.index(cut) :: PART]:
        _cut_and_repeat(tmp_path, journey, start, end, Fault(cut, place, n))


@pytest.mark.timeout(3600 if WHOLE else 120)
def test_power_fails_in_flash(tmp_path: Path, measured: tuple) -> None:
    """The same for power that fails while flash is erased or written, boots of the new firmware included.

    Stock 1.0.0_0130 damages or loses its binding when power fails in the compaction of its boot (flash-layout.md 3.5):
    then the keys are in the vault alone.
    """
    journey, start, end, messages = measured
    for n in range(1, messages.count("flash") + 1, 1 if WHOLE else 170):
        _cut_and_repeat(tmp_path, journey, start, end, Fault("power_cut", "flash", n, byte=n % 7), bound=False)


def _cut_and_repeat(
    folder: Path, journey: Journey, start: Rig, end: State, fault: Fault, *, bound: bool = True
) -> None:
    """`bound`: whether the unit must hold its own keys in the end."""
    here = folder / "unit"
    shutil.rmtree(here, ignore_errors=True)
    shutil.copytree(start.folder.parent, here)
    rig = start.at(here)
    rig.fault(fault)
    try:
        journey.go(rig)
    except MithermError as problem:
        assert problem.exit_code in (1, 3, 4, 5, 8), (fault, problem)
    rig.world(lambda world: world.find(UNIT).faults.faults.clear())
    repeated = journey.go(rig)
    assert repeated.outcome in ("verified", "nothing-to-do"), fault
    now = state(rig)
    if not bound:
        now = replace(now, did=end.did, bound=end.bound, keys_known=end.keys_known)
    assert now == end, fault
