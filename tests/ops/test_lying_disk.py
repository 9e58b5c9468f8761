"""A disk that takes keys and holds something else: the unit must not commit to keys that nobody has."""

from pathlib import Path

import pytest

from disks import lies
from mitherm.errors import DiskProblem
from mitherm.ops.keys.activate import activate
from rig import UNIT, Rig

STORE = slice(0x78000, 0x79000)


@pytest.mark.parametrize("after", range(3))
def test_no_unit_takes_keys_that_the_vault_does_not_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    """Whichever file of the vault is spoiled, activation ends before the unit stores its keys, or has them right."""
    rig = Rig(tmp_path, "stock-1.0.0_0130")
    before = rig.flash()[STORE]
    lies(monkeypatch, rig.home / "vault", after)
    with pytest.raises(DiskProblem, match="reads back differently") as caught:
        rig.run(lambda bench: activate(bench, UNIT))
    monkeypatch.undo()
    if rig.flash()[STORE] == before:
        assert caught.value.device == "unchanged"
    else:
        current = rig.stores.vault.current(UNIT)
        assert current is not None
        assert current.keys.record in rig.flash()[STORE]
