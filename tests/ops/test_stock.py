"""Activation and login of stock units."""

from pathlib import Path

import pytest

from mitherm.errors import GuardRefused, KeysMissing, MiHomeRefused
from mitherm.ops.keys.activate import activate
from mitherm.ops.keys.login import login_with_vault
from rig import UNIT, Rig


@pytest.mark.parametrize("version", ["1.0.0_0109", "1.0.0_0130"])
def test_activation_puts_the_units_own_keys_into_the_vault(tmp_path: Path, version: str) -> None:
    """The vault holds what the unit stored, confirmed, and a login with it works."""
    rig = Rig(tmp_path, f"stock-{version}")
    done = rig.run(lambda bench: activate(bench, UNIT))
    assert done.changed
    assert done.generation.confirmed is not None
    assert done.generation.keys.record in rig.flash()
    assert rig.run(lambda bench: login_with_vault(bench, UNIT)).id == done.generation.id


def test_activating_twice_changes_nothing(tmp_path: Path) -> None:
    """The second run finds that the vault's keys open the unit."""
    rig = Rig(tmp_path, "stock-1.0.0_0130")
    first = rig.run(lambda bench: activate(bench, UNIT))
    again = rig.run(lambda bench: activate(bench, UNIT))
    assert not again.changed
    assert again.generation.id == first.generation.id


def test_a_bound_unit_is_refused_by_h9(tmp_path: Path) -> None:
    """Keys in use are not replaced without the waiver, and nothing is written."""
    rig = Rig(tmp_path, "stock-1.0.0_0130,bound=mi-home")
    before = rig.flash()[0x78000:0x79000]
    with pytest.raises(GuardRefused) as refusal:
        rig.run(lambda bench: activate(bench, UNIT))
    assert (refusal.value.rule, refusal.value.waiver) == ("H9", "--replace-keys")
    assert rig.flash()[0x78000:0x79000] == before


def test_h9_can_be_waived(tmp_path: Path) -> None:
    """With the waiver the unit gets new keys."""
    rig = Rig(tmp_path, "stock-1.0.0_0130,bound=mi-home")
    done = rig.run(lambda bench: activate(bench, UNIT), waivers=frozenset({"H9"}))
    assert done.changed
    assert done.generation.keys.record in rig.flash()


def test_generation_2_is_explained(tmp_path: Path) -> None:
    """0159 cannot be activated by a tool; the error says what to do."""
    rig = Rig(tmp_path, "stock-2.1.1_0159")
    with pytest.raises(KeysMissing) as missing:
        rig.run(lambda bench: activate(bench, UNIT))
    assert "Mi Home" in missing.value.message


def test_mi_home_refuses_what_a_flasher_bound(tmp_path: Path) -> None:
    """An invented DID is -29; a factory-new unit is accepted, on both generations."""
    rig = Rig(tmp_path, "stock-1.0.0_0130,bound=flasher")
    with pytest.raises(MiHomeRefused) as refusal:
        rig.mi_home_adds()
    assert refusal.value.mi_home_code == -29


@pytest.mark.parametrize(
    "spec", ["stock-1.0.0_0109", "stock-1.0.0_0130", "stock-2.1.1_0159", "stock-1.0.0_0130,bound=mi-home"]
)
def test_mi_home_adds_new_units_and_its_own(tmp_path: Path, spec: str) -> None:
    """Code 0, and the unit holds a key record afterwards."""
    rig = Rig(tmp_path, spec)
    rig.mi_home_adds()
    assert b"\x10\x00\x1c" in rig.flash()[0x78000:0x7A000]
