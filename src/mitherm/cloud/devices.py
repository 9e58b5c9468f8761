"""The units of an account with their keys: homes, shared homes, device lists, beacon keys (mi-auth.md 10.2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from mitherm.cloud.answers import text
from mitherm.cloud.api import ApiRefusal, call
from mitherm.cloud.effects import Procedure
from mitherm.cloud.session import Ground, Session
from mitherm.model.address import Address
from mitherm.model.keys import BIND_KEY_LENGTH, TOKEN_LENGTH, MiKeys
from mitherm.primitives.secret import Secret
from mitherm.protocol.effects import Report
from mitherm.protocol.events import Notice

BLE_MARK: Final = "blt"
"""Part of the DID of units that have a beacon key."""


@dataclass(frozen=True, slots=True)
class AccountUnit:
    """One BLE unit as the account knows it."""

    address: Address
    keys: MiKeys
    name: str
    model: str
    region: str


@dataclass(frozen=True, slots=True)
class _Home:
    id: str
    owner: str


def units_of(ground: Ground, session: Session, regions: Sequence[str]) -> Procedure[tuple[AccountUnit, ...]]:
    """All BLE units of the account in these regions, each once.

    A region that refuses is reported and left out; the only region asked for raises ApiRefusal.
    """
    units: dict[tuple[Address, str | None], AccountUnit] = {}
    for region in regions:
        try:
            listed = yield from _region(ground, session, region)
        except ApiRefusal as problem:
            if len(regions) == 1:
                raise
            yield Report(Notice("info", f"region {region}: {problem.message}"))
            continue
        for unit in listed:
            units.setdefault((unit.address, unit.keys.did), unit)
    return tuple(units.values())


def _region(ground: Ground, session: Session, region: str) -> Procedure[list[AccountUnit]]:
    units: list[AccountUnit] = []
    for home in (yield from _homes(ground, session, region)):
        query = {
            "home_owner": _number(home.owner),
            "home_id": _number(home.id),
            "limit": 200,
            "get_split_device": True,
            "support_smart_home": True,
        }
        result = yield from call(ground, session, region, "/v2/home/home_device_list", query)
        for row in _rows(result, "device_info"):
            unit = _unit(row, region)
            if unit is not None:
                units.append((yield from _with_bind_key(ground, session, unit)))
    return [unit for unit in units if unit.keys.token or unit.keys.bind_key]


def _homes(ground: Ground, session: Session, region: str) -> Procedure[list[_Home]]:
    query = {"fg": True, "fetch_share": True, "fetch_share_dev": True, "limit": 300, "app_ver": 7}
    own = yield from call(ground, session, region, "/v2/homeroom/gethome", query)
    homes = [_Home(text(row, "id"), session.user_id) for row in _rows(own, "homelist")]
    counted = yield from call(
        ground, session, region, "/v2/user/get_device_cnt", {"fetch_own": True, "fetch_share": True}
    )
    share = counted.get("share")
    shared = _rows(share, "share_family") if isinstance(share, dict) else []
    homes += [_Home(text(row, "home_id"), text(row, "home_owner")) for row in shared]
    return list(dict.fromkeys(home for home in homes if home.id and home.owner))


def _unit(row: dict[str, Any], region: str) -> AccountUnit | None:
    """A BLE unit; None for others: their token has 16 bytes and their DID is a number."""
    try:
        address = Address.parse(text(row, "mac"))
    except ValueError:
        return None
    did = text(row, "did")
    keys = MiKeys(_key(text(row, "token"), TOKEN_LENGTH), None, did or None)
    if keys.token is None and BLE_MARK not in did:
        return None
    return AccountUnit(address, keys, text(row, "name"), text(row, "model"), region)


def _with_bind_key(ground: Ground, session: Session, unit: AccountUnit) -> Procedure[AccountUnit]:
    did = unit.keys.did or ""
    if BLE_MARK not in did:
        return unit
    try:
        result = yield from call(ground, session, unit.region, "/v2/device/blt_get_beaconkey", {"did": did, "pdid": 1})
    except ApiRefusal as problem:
        yield Report(Notice("warning", f"no bind key for {unit.address}: {problem.message}"))
        return unit
    bind_key = _key(text(result, "beaconkey"), BIND_KEY_LENGTH)
    return replace(unit, keys=replace(unit.keys, bind_key=bind_key))


def _rows(answer: dict[str, Any], name: str) -> list[dict[str, Any]]:
    rows = answer.get(name)
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def _key(digits: str, length: int) -> Secret | None:
    try:
        key = Secret.from_hex(digits)
    except ValueError:
        return None
    return key if len(key) == length else None


def _number(digits: str) -> int | str:
    return int(digits) if digits.isdecimal() else digits
