"""Units and keys of an account, against a server that checks every signature."""

from __future__ import annotations

import time
from collections.abc import Sequence

import pytest

from fake_xiaomi import BEACON_KEY, LAMP, SSECURITY, THERMOMETER, TOKEN_COOKIE, USER, Mood, service
from mitherm.cloud.api import ApiRefusal
from mitherm.cloud.devices import AccountUnit, units_of
from mitherm.cloud.driver import AbsentPerson, perform
from mitherm.cloud.hosts import REGIONS, Hosts
from mitherm.cloud.session import Ground, Session
from mitherm.cloud.web import StandardWeb
from mitherm.errors import CloudError
from mitherm.primitives.secret import Secret
from mitherm.protocol.events import Event

SESSION = Session(USER, Secret(SSECURITY), Secret(TOKEN_COOKIE.encode()))
SECOND = THERMOMETER | {"did": "blt.3.1second", "mac": "A4C138000002", "name": "Cellar", "token": "ff" * 12}


def listed(
    mood: Mood, regions: Sequence[str] = ("de",), session: Session = SESSION, told: list[Event] | None = None
) -> tuple[AccountUnit, ...]:
    with service(mood) as base:
        ground = Ground(lambda count: bytes(count), time.time, Hosts.local(base))
        tell = [].append if told is None else told.append
        units = perform(units_of(ground, session, regions), StandardWeb(), person=AbsentPerson(), tell=tell)
    assert mood.wrong == []
    return units


def test_units_with_both_keys() -> None:
    """BLE units come with address, DID, token and bind key; a lamp with Wi-Fi does not come."""
    (unit,) = listed(Mood())
    assert str(unit.address) == THERMOMETER["mac"]
    assert (unit.name, unit.model, unit.region) == ("Bedroom", "miaomiaoce.sensor_ht.t2", "de")
    assert unit.keys.did == THERMOMETER["did"]
    assert unit.keys.token == Secret.from_hex(THERMOMETER["token"])
    assert unit.keys.bind_key == Secret.from_hex(BEACON_KEY)


def test_homes_shared_by_others() -> None:
    """Units of a shared home are asked for with its owner."""
    mood = Mood(homes={}, shared={"de": {"88": ("999", [SECOND])}}, beacon_keys={})
    (unit,) = listed(mood)
    assert unit.name == "Cellar" and unit.keys.bind_key is None and unit.keys.token is not None


def test_all_regions_are_asked_and_a_unit_counts_once() -> None:
    """Regions in turn; one that refuses is reported and hides no other."""
    mood = Mood(
        homes={"de": {"1": [THERMOMETER]}, "cn": {"2": [THERMOMETER, SECOND]}},
        unwilling_regions=frozenset({"us", "ru"}),
    )
    told: list[Event] = []
    units = listed(mood, REGIONS, told=told)
    assert [unit.name for unit in units] == ["Bedroom", "Cellar"]
    assert len([event for event in told if "region" in str(event)]) == 2


def test_the_only_region_must_answer() -> None:
    """Asked for one region, its refusal is the result."""
    with pytest.raises(ApiRefusal, match="code -8"):
        listed(Mood(unwilling_regions=frozenset({"de"})))


@pytest.mark.parametrize(
    "row",
    [
        THERMOMETER | {"mac": "nonsense"},
        THERMOMETER | {"mac": None},
        {"name": "empty"},
        LAMP,
        THERMOMETER | {"did": "123", "token": "zz"},
        THERMOMETER | {"did": "blt.other", "token": ""},
    ],
)
def test_rows_without_use_are_left_out(row: dict[str, object]) -> None:
    """No address or no key: no unit, and no failure."""
    assert listed(Mood(homes={"de": {"1": [row]}})) == ()


def test_a_unit_with_a_number_for_did_keeps_its_token() -> None:
    """No beacon key is asked for then."""
    mood = Mood(homes={"de": {"1": [THERMOMETER | {"did": 1023456789}]}})
    (unit,) = listed(mood)
    assert unit.keys.did == "1023456789" and unit.keys.bind_key is None
    assert not any("beaconkey" in asked for asked in mood.asked)


@pytest.mark.parametrize(
    ("mood", "session"),
    [
        (Mood(expired=True), SESSION),
        (Mood(), Session(USER, Secret(bytes(16)), SESSION.service_token)),
        (Mood(), Session("1", SESSION.ssecurity, SESSION.service_token)),
        (Mood(), Session(USER, SESSION.ssecurity, Secret(b"old"))),
    ],
)
def test_a_session_that_is_over(mood: Mood, session: Session) -> None:
    """Expired, or signed with something else: log in again, even when other regions are left."""
    with pytest.raises(CloudError, match="does not accept this session"):
        listed(mood, REGIONS, session)


@pytest.mark.parametrize(("mood", "says"), [(Mood(broken="garbage"), "encrypted"), (Mood(limited=True), "limits")])
def test_answers_that_are_none(mood: Mood, says: str) -> None:
    """What cannot be read is an error of its own."""
    with pytest.raises(CloudError, match=says):
        listed(mood)
