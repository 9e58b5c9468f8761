"""What is in the air: units with what their adverts tell, and what can be done with each."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from mitherm.beacon.decode import decode
from mitherm.beacon.keys import BeaconKey
from mitherm.model import models
from mitherm.model.address import Address
from mitherm.model.family import BeaconFormat, Family
from mitherm.model.reading import Reading, Undecoded
from mitherm.model.sighting import Sighting
from mitherm.ops.bench import Bench
from mitherm.radio.addresses import true_address

_BLUETOOTH_BASE: Final = "-0000-1000-8000-00805f9b34fb"
_MERGED: Final = ("temperature", "humidity", "battery", "voltage")


@dataclass(slots=True)
class Unit:
    """One unit of a scan; reports are merged into it."""

    radio_address: str
    address: Address | None
    name: str | None = None
    rssi_dbm: int | None = None
    beacon_format: BeaconFormat | None = None
    encrypted_object: bool = False
    model: str | None = None
    family: Family | None = None
    values: dict[str, float | int] = field(default_factory=dict)

    @property
    def interesting(self) -> bool:
        """Whether this is a thermometer we know something about."""
        return self.beacon_format is not None or self.model is not None


async def scan(bench: Bench, duration_s: float) -> list[dict[str, object]]:
    """All units seen in `duration_s` seconds, strongest first, in the shape of the contract."""
    units: dict[str, Unit] = {}
    async for unit in watch(bench, duration_s):
        units[unit.radio_address] = unit
    found = sorted(units.values(), key=lambda unit: unit.rssi_dbm if unit.rssi_dbm is not None else -999, reverse=True)
    return [describe(bench, unit) for unit in found if unit.interesting]


async def watch(bench: Bench, duration_s: float | None) -> AsyncIterator[Unit]:
    """Each unit again with every report about it; endless without a duration."""
    units: dict[str, Unit] = {}
    with suppress(TimeoutError):
        async with asyncio.timeout(duration_s), bench.radio.sightings() as sightings:
            async for sighting in sightings:
                yield _merge(bench, units, sighting)


def _merge(bench: Bench, units: dict[str, Unit], sighting: Sighting) -> Unit:
    unit = units.setdefault(sighting.address, Unit(sighting.address, true_address(sighting)))
    unit.name = sighting.name or unit.name
    unit.rssi_dbm = sighting.rssi_dbm if sighting.rssi_dbm is not None else unit.rssi_dbm
    unit.model = unit.model or models.named(unit.name)
    for uuid, data in sighting.service_data.items():
        if uuid.endswith(_BLUETOOTH_BASE) and uuid in (sighting.fresh or sighting.service_data):
            _take(bench, unit, int(uuid[4:8], 16), data)
    return unit


def _take(bench: Bench, unit: Unit, uuid: int, data: bytes) -> None:
    found = _decoded(uuid, data, unit.address, keys_of(bench, unit.address))
    if isinstance(found, Undecoded):
        if found.format is None:
            return
    else:
        for name in _MERGED:
            value = found.values.get(name)
            if isinstance(value, int | float):
                unit.values[name] = value
    unit.beacon_format = found.format
    if found.mi is not None:
        unit.model = _product(unit.name, found.mi.product_id) or unit.model
        unit.encrypted_object |= found.mi.encrypted and found.mi.has_object
    if found.format is BeaconFormat.QINGPING and isinstance(found, Reading):
        unit.model = unit.model or models.QINGPING_TYPES.get(int(found.values.get("device_type", 0)))
    if found.format is not None and found.format.custom:
        unit.model = unit.model or models.LYWSD03MMC if (unit.name or "").startswith("ATC") else unit.model


def _product(name: str | None, product_id: int) -> str | None:
    """The model of a MiBeacon. pvvx sends 0x055B for boards without an id of their own, where only the name tells."""
    told = models.PRODUCTS.get(product_id)
    if told == models.LYWSD03MMC and models.custom_name(name):
        return models.named(name)
    return told


def keys_of(bench: Bench, address: Address | None) -> Iterable[BeaconKey]:
    """All bind keys the vault has for a unit, likeliest first."""
    if address is None:
        return ()
    return (BeaconKey(key) for key in bench.stores.vault.access(address).bind_keys)


def _decoded(uuid: int, data: bytes, address: Address | None, keys: Iterable[BeaconKey]) -> Reading | Undecoded:
    found = decode(uuid, data, address)
    if isinstance(found, Undecoded) and found.error == "no-key":
        for key in keys:
            opened = decode(uuid, data, address, key)
            if isinstance(opened, Reading):
                return opened
    return found


def describe(bench: Bench, unit: Unit) -> dict[str, object]:
    """One unit in the shape of the contract (cli-contract.md, Shapes)."""
    known = bench.stores.inventory.get(unit.address) if unit.address is not None else None
    family = _family(unit) or (known.family if known else None)
    if known is not None and unit.beacon_format is BeaconFormat.ATC1441 and known.family is Family.PVVX:
        family = Family.PVVX  # whose setting may be to send this format too
    version = known.version if known is not None and known.family == family else None
    return {
        "address": str(unit.address) if unit.address is not None else unit.radio_address,
        "name": unit.name,
        "rssi_dbm": unit.rssi_dbm,
        "model": unit.model or (known.model if known else None),
        "firmware": {"family": family or "unknown", "version": version},
        "beacon_format": unit.beacon_format,
        "bound": _bound(unit, family, known.bound if known else None),
        "reading": _reading(unit),
        "next": _next(bench, unit, family, version),
    }


def _family(unit: Unit) -> Family | None:
    """What adverts prove: the name LYWSD03MMC with MiBeacon is stock; which custom firmware it is they do not tell,
    except for the formats only pvvx has."""
    if unit.beacon_format is BeaconFormat.MIBEACON and models.custom_name(unit.name):
        return Family.PVVX if not (unit.name or "").startswith("ATC_") else None
    if unit.beacon_format is None or unit.beacon_format.family is Family.UNKNOWN:
        return None
    return unit.beacon_format.family


def _bound(unit: Unit, family: Family | None, known: bool | None) -> bool | None:
    if family is not Family.STOCK:
        return None
    return True if unit.encrypted_object else known


def _reading(unit: Unit) -> dict[str, object] | None:
    if not unit.values:
        return None
    voltage = unit.values.get("voltage")
    return {
        "temperature_c": unit.values.get("temperature"),
        "humidity_pct": unit.values.get("humidity"),
        "battery_pct": unit.values.get("battery"),
        "battery_mv": round(voltage * 1000) if voltage is not None else None,
    }


def _next(bench: Bench, unit: Unit, family: Family | None, version: str | None) -> str | None:
    """What can be done now (virtual-unit.md 7, last paragraph)."""
    if family is not None and family.custom:
        return "flash"
    if family is not Family.STOCK or unit.address is None:
        return None
    group = _stock_of(unit.model, version)
    if group is not None and not group.needs_login(None):
        return "flash" if group.supports_ota else None
    if any(one.keys.token is not None for one in bench.stores.vault.generations(unit.address)):
        return "login"
    if unit.encrypted_object:
        return "keys-needed"
    if version is None:
        return None
    generation = group.generation if group is not None else 2 if models.account_line(version) else 1
    return {1: "activate", 2: "keys-needed"}.get(generation or 0)


def _stock_of(model: str | None, version: str | None) -> models.Stock | None:
    board = models.board(model, version=version)
    return board.stock_of(version) if board is not None else None
