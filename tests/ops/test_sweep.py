"""Cut the link, and the power, after every single message: one repeat ends where an undisturbed run ends."""

from pathlib import Path

import pytest

from mitherm.errors import MithermError
from mitherm.ops.keys.activate import activate
from mitherm.virtual.faults import Fault
from rig import UNIT, Rig

MESSAGES = ("write:*", "notify:*", "read:*", "connect")
CUTS = ("disconnect", "reset", "power_cut")


def plant(rig: Rig, fault: Fault) -> None:
    """The fault lies in the unit's state file and waits."""
    rig.world(lambda world: world.find(UNIT).faults.faults.append(fault))


def fired(rig: Rig) -> bool:
    """Whether the planted fault has happened."""
    return rig.world(lambda world: not world.find(UNIT).faults.faults)


@pytest.mark.parametrize("kind", CUTS)
@pytest.mark.parametrize("at", MESSAGES)
def test_activate_cut_anywhere(tmp_path: Path, at: str, kind: str) -> None:
    """After one repeat the unit holds the keys of the vault, whichever message was the last."""
    for n in range(1, 200):
        rig = Rig(tmp_path / str(n), "stock-1.0.0_0130")
        plant(rig, Fault(kind, at, n))
        try:
            rig.run(lambda bench: activate(bench, UNIT))
        except MithermError as problem:
            assert problem.exit_code in (1, 3, 4, 5)
        if not fired(rig):
            assert n > 1
            return
        done = rig.run(lambda bench: activate(bench, UNIT))
        assert done.generation.keys.record in rig.flash()[0x78000:0x79000], (n, at)
        current = rig.stores.vault.current(UNIT)
        assert current is not None
        assert current.keys.record == done.generation.keys.record
    pytest.fail("the sweep does not end")
