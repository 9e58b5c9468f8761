"""One lost link is nothing: what is tried again, how often, and after which pause."""

from dataclasses import replace
from pathlib import Path

import pytest

from mitherm.errors import LinkError, NotVerified
from mitherm.ops.bench import Bench
from mitherm.ops.doctor.contact import contact
from mitherm.ops.keys.login import login_with_vault
from mitherm.ops.look import look, meet
from mitherm.ops.target import find
from mitherm.ops.updating.flash import bring
from mitherm.protocol import uuids
from mitherm.protocol.events import Event, Notice
from mitherm.virtual.faults import Fault
from rig import UNIT, Rig

PVVX = "pvvx-5.8"
STOCK = "stock-1.0.0_0130,bound=mi-home"
UNTIL_GIVEN_UP_S = {"stock-1.0.0_0130,bound=mi-home": 7.0, "atc1441": 5.0, "pvvx-5.7": 16.0}
"""How long the firmware keeps a transfer that got stuck (telink-ota.md 5.4)."""


def failing(path: Path, spec: str, kind: str, at: str, times: int) -> Rig:
    """A unit with its keys in the vault where the first `times` events of a kind fail."""
    rig = Rig(path, spec)
    rig.hand_over_keys()
    rig.fault(*(Fault(kind, at, number) for number in range(1, times + 1)))
    return rig


async def glimpse(bench: Bench) -> str:
    """One connection as short commands make it: nothing but the link itself tries again."""
    async with meet(bench, UNIT) as (_, observation):
        return observation.family


async def examined(bench: Bench) -> str | None:
    """What `doctor` could not read."""
    return (await contact(bench, UNIT, await find(bench, UNIT))).problem


@pytest.mark.parametrize("kind", ["disconnect", "reset"])
def test_a_connection_is_made_at_the_third_attempt(tmp_path: Path, kind: str) -> None:
    """The default of every command: two failures on the way cost time only."""
    rig = failing(tmp_path, PVVX, kind, "connect", 2)
    assert rig.run(glimpse) == "pvvx"
    assert rig.links == 3


def test_a_unit_that_never_stays_is_given_up(tmp_path: Path) -> None:
    """Three attempts and the reason."""
    rig = failing(tmp_path, PVVX, "disconnect", "connect", 9)
    with pytest.raises(LinkError):
        rig.run(glimpse)
    assert rig.links == 3


@pytest.mark.parametrize("kind", ["disconnect", "reset", "lose"])
@pytest.mark.parametrize("spec", [PVVX, STOCK])
def test_a_look_that_loses_its_link_is_begun_anew(tmp_path: Path, spec: str, kind: str) -> None:
    """Two links that end while the unit is read do not end `info`."""
    rig = failing(tmp_path, spec, kind, "read:*", 2)
    assert rig.run(lambda bench: look(bench, UNIT)).observation.family == spec.partition("-")[0]


@pytest.mark.parametrize("kind", ["disconnect", "reset", "lose"])
def test_doctor_reads_a_unit_that_loses_its_link(tmp_path: Path, kind: str) -> None:
    """Two lost links are no finding."""
    assert failing(tmp_path, STOCK, kind, "read:*", 2).run(examined) is None


def test_doctor_gives_up_after_three(tmp_path: Path) -> None:
    """And says how often it tried."""
    rig = failing(tmp_path, STOCK, "disconnect", "read:*", 9)
    assert "3 connections failed" in (rig.run(examined) or "")


@pytest.mark.parametrize("kind", ["disconnect", "reset"])
def test_a_login_that_loses_its_link_is_begun_anew(tmp_path: Path, kind: str) -> None:
    """Two links that end in the middle say nothing about the token: it is tried again and confirmed."""
    rig = failing(tmp_path, STOCK, kind, f"notify:{uuids.MI_PARCELS}", 2)
    generation = rig.run(lambda bench: login_with_vault(bench, UNIT))
    assert generation.confirmed is not None
    assert rig.links == 3


def test_a_login_that_never_ends_well_is_given_up(tmp_path: Path) -> None:
    """Three links, then the loss is told, not a wrong key."""
    rig = failing(tmp_path, STOCK, "disconnect", f"notify:{uuids.MI_PARCELS}", 9)
    with pytest.raises(LinkError):
        rig.run(lambda bench: login_with_vault(bench, UNIT))
    assert rig.links == 3


@pytest.mark.parametrize("spec", UNTIL_GIVEN_UP_S)
def test_a_second_transfer_waits_until_the_unit_gave_up_the_first(tmp_path: Path, spec: str) -> None:
    """No connection before the inactivity limit of the running firmware is over: it would meet the broken transfer."""
    rig = Rig(tmp_path, spec)
    rig.shelve("pvvx-5.8")
    rig.hand_over_keys()
    rig.fault(Fault("disconnect", f"write:{uuids.OTA}", 3000))
    broken_at: list[float] = []

    async def work(bench: Bench) -> str:
        def tell(event: Event) -> None:
            if isinstance(event, Notice) and "safe pace" in event.text:
                broken_at.append(bench.clock())

        return (await bring(replace(bench, tell=tell), str(UNIT), "pvvx-5.8")).outcome

    assert rig.run(work) == "verified"
    pause_s = min(time for time in rig.link_times if time > broken_at[0]) - broken_at[0]
    assert pause_s >= UNTIL_GIVEN_UP_S[spec]


LINKS_BEFORE_THE_RESTART = 2
"""Of a flash from pvvx: the look and the transfer."""


@pytest.mark.parametrize(("failures", "found"), [(9, None), (27, "unreadable")])
def test_a_unit_that_cannot_be_read_after_its_restart(tmp_path: Path, failures: int, found: str | None) -> None:
    """A whole look (three links of three attempts) may fail; after three looks the end is told as not verified."""
    rig = Rig(tmp_path, "pvvx-5.7")
    rig.shelve("pvvx-5.8")
    first = LINKS_BEFORE_THE_RESTART + 1
    rig.fault(*(Fault("disconnect", "connect", number) for number in range(first, first + failures)))
    if found is None:
        assert rig.run(lambda bench: bring(bench, str(UNIT), "pvvx-5.8")).outcome == "verified"
    else:
        with pytest.raises(NotVerified) as failure:
            rig.run(lambda bench: bring(bench, str(UNIT), "pvvx-5.8"))
        assert failure.value.transfer == found
    assert rig.links >= LINKS_BEFORE_THE_RESTART + failures
