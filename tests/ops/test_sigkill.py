"""kill -9 at any moment: the units live on in another process, and the same command ends as if nothing had happened."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import made_images
import pytest

from e2e.person import Person, person_of, served
from mitherm.model.address import Address
from rig import UNIT, Rig, wall

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(170)]

MOMENTS = {
    1: ("stock-1.0.0_0130", "are in the vault"),
    2: ("stock-1.0.0_0109,bound=mi-home", "write ota 0000"),
    3: ("stock-2.1.1_0159,bound=mi-home", "write ota 02ff"),
    4: ("atc1441", "write ota 3200"),
    5: ("stock-1.0.0_0130,bound=flasher", "verify"),
}
"""Unit number: what it is, and the line of -vv after which the command is killed."""


def address(number: int) -> Address:
    """Of the n-th unit."""
    return Address.parse(f"A4:C1:38:00:00:0{number}")


def rig_with_short_images(folder: Path, *specs: str) -> Rig:
    """Units, their keys, and images that are across in a second."""
    rig = Rig(folder, *specs)
    rig.hand_over_keys()
    for kind in ("pvvx-5.8", "stock-1.0.0_0130"):
        rig.stores.library.add(made_images.small(kind), name=kind, kind=kind, now=wall())
    return rig


def test_killed_at_any_moment(tmp_path: Path) -> None:
    """Five units, five moments: after the repeat each runs pvvx and every key is in the vault."""
    rig = rig_with_short_images(tmp_path, *(spec for spec, _ in MOMENTS.values()))
    with served(rig) as (_, moniker), ThreadPoolExecutor(len(MOMENTS)) as several:
        person = Person(rig.home, f"hci:{moniker}", MITHERM_ALLOW_SYNTHETIC="1")

        def kill(number: int) -> None:
            with person.begins("bring", str(address(number)), "--to", "pvvx", "--yes", "-vv") as running:
                running.until(MOMENTS[number][1])
                running.process.kill()

        def repeat(number: int) -> str:
            result = person.gets("bring", str(address(number)), "--to", "pvvx", "--yes")
            return f"{result['after']['firmware']['family']} {result['after']['firmware']['version']}"

        list(several.map(kill, MOMENTS))
        assert set(several.map(repeat, MOMENTS)) == {"pvvx 5.8"}
    for number in MOMENTS:
        held = rig.world(lambda world, number=number: world.find(address(number)).chip.flash.read(0x78000, 0x1000))
        known = [one.keys.record for one in rig.stores.vault.generations(address(number))]
        assert known or number == 4
        assert all(keys is None or keys.record in known for keys in (rig.keys[address(number)],))
        assert number == 4 or any(record in held for record in known)
    assert address(1) == UNIT


def test_killed_with_the_units_in_the_same_process(tmp_path: Path) -> None:
    """The folder of virtual units is whole afterwards and free for the next command."""
    rig = rig_with_short_images(tmp_path, "stock-1.0.0_0130")
    person = person_of(rig)
    for line in ("are in the vault", "write ota 0000"):
        with person.begins("bring", str(UNIT), "--to", "pvvx", "--yes", "-vv") as running:
            running.until(line)
            running.process.kill()
    assert person.gets("bring", str(UNIT), "--to", "pvvx", "--yes")["outcome"] == "verified"
    current = rig.stores.vault.current(UNIT)
    assert current is not None
    assert current.keys.record in rig.flash()[0x78000:0x79000]
