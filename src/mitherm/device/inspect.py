"""Read over a link what tells a unit apart. Nothing here changes the unit."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TypeVar

from mitherm.device.identify import Evidence, identify
from mitherm.device.observation import Observation
from mitherm.errors import AttRefused, CharacteristicMissing, DecodeError, LinkLost, LinkTimeout, ProtocolError
from mitherm.model.address import Address
from mitherm.model.family import Family
from mitherm.model.sighting import Sighting
from mitherm.protocol import uuids
from mitherm.protocol.effects import Entropy, Procedure
from mitherm.protocol.mi.client import device_info, is_registered
from mitherm.protocol.stock import read_measurement
from mitherm.radio.driver import run
from mitherm.radio.link import Link

_log = logging.getLogger(__name__)
_T = TypeVar("_T")

_STRINGS = (
    uuids.MODEL_NUMBER,
    uuids.SERIAL_NUMBER,
    uuids.FIRMWARE_REVISION,
    uuids.HARDWARE_REVISION,
    uuids.SOFTWARE_REVISION,
    uuids.MANUFACTURER,
)


async def inspect_link(link: Link, address: Address, sighting: Sighting, *, weigh: bool = False) -> Observation:
    """Identify the unit at the other end and read what its family tells without being changed.

    `weigh`: on pvvx, take the time to find the voltage under load behind the mean it tells (up to 20 s by default). Raises LinkLost when the link ends; a value that the unit refuses or does not send in time stays None.
    """
    if not link.gatt.services:
        raise LinkLost("the unit went away before it told what it offers")
    evidence = await _evidence(link, sighting)
    identity = identify(evidence)
    base = Observation(
        address=address,
        identity=identity,
        gatt=link.gatt,
        name=sighting.name,
        rssi_dbm=sighting.rssi_dbm,
        battery_pct=await _percent(link),
        serial=evidence.text(uuids.SERIAL_NUMBER),
        product_id=_product(sighting),
    )
    match identity.family:
        case Family.STOCK:
            return await _stock(link, base)
        case Family.PVVX:
            return await _pvvx(link, base, weigh)
        case _:
            return base


async def glance(link: Link, address: Address, sighting: Sighting) -> Observation:
    """Only what tells firmware and board apart, and the address: a second instead of a measuring interval."""
    if not link.gatt.services:
        raise LinkLost("the unit went away before it told what it offers")
    evidence = await _evidence(link, sighting)
    identity = identify(evidence)
    proofs: tuple[tuple[str, Address], ...] = ()
    if identity.family is Family.PVVX:
        from mitherm.protocol.pvvx.client import read_mac

        record = await _try(link, read_mac())
        proofs = (("command 10", record.address),) if record is not None else ()
    serial = evidence.text(uuids.SERIAL_NUMBER)
    return Observation(
        address, identity, link.gatt, sighting.name, hardware_id=identity.hardware_id, serial=serial, proofs=proofs
    )


async def is_bound(link: Link, entropy: Entropy) -> bool | None:
    """Whether stock firmware holds a key record (mi-auth.md 9.2, V5). The caller closes the link afterwards."""
    return await _try(link, is_registered(entropy))


async def _evidence(link: Link, sighting: Sighting) -> Evidence:
    values = {char: await _value(link, char) for char in _STRINGS}
    command = link.gatt.find(uuids.CUSTOM_COMMAND)
    reply = await _value(link, uuids.CUSTOM_COMMAND) if command is not None and "read" in command.properties else None
    return Evidence(
        services=link.gatt.service_uuids,
        device_information={char: value for char, value in values.items() if value is not None},
        command_properties=command.properties if command is not None else None,
        command_value=reply,
        advertised_name=sighting.name,
    )


async def _stock(link: Link, base: Observation) -> Observation:
    info = await _try(link, device_info())
    measurement = await _try(link, read_measurement())
    return replace(
        base,
        battery_mv=measurement.battery_mv if measurement is not None else None,
        did=info.did if info is not None else None,
        did_read=info is not None,
        mi_generation=info.version if info is not None else None,
    )


async def _pvvx(link: Link, base: Observation, weigh: bool) -> Observation:
    from mitherm.protocol.pvvx import client as pvvx_client

    device = await _try(link, pvvx_client.device_id())
    records = await _try(link, pvvx_client.read_mi_records())
    millivolts = await _try(link, pvvx_client.load_mv() if weigh else _mean_mv())
    proofs = (("command 10", records.mac.address),) if records is not None else ()
    return replace(
        base,
        battery_mv=millivolts,
        did=records.did_text if records is not None else None,
        did_read=records is not None,
        registered=records.keys is not None if records is not None else None,
        records=records,
        hardware_id=device.hardware_id if device is not None else None,
        proofs=proofs,
    )


def _product(sighting: Sighting) -> int | None:
    """Bytes 2 and 3 of a MiBeacon frame (beacons.md 6.1)."""
    frame = sighting.service_data.get(uuids.ADV_MIBEACON, b"")
    return int.from_bytes(frame[2:4], "little") if len(frame) >= 4 else None


def _mean_mv() -> Procedure[int]:
    from mitherm.protocol.pvvx import client as pvvx_client

    return (yield from pvvx_client.measure()).battery_mv


async def _percent(link: Link) -> int | None:
    value = await _value(link, uuids.BATTERY_LEVEL) or await _value(link, uuids.STOCK_BATTERY)
    return value[0] if value else None


async def _value(link: Link, char: str) -> bytes | None:
    characteristic = link.gatt.find(char)
    if characteristic is None or "read" not in characteristic.properties:
        return None
    try:
        return await link.read(char)
    except (AttRefused, LinkTimeout) as problem:
        _log.info("reading %s: %s", char, problem)
        return None


async def _try(link: Link, procedure: Procedure[_T]) -> _T | None:
    try:
        return await run(procedure, link)
    except (AttRefused, CharacteristicMissing, DecodeError, LinkLost, LinkTimeout, ProtocolError) as problem:
        _log.info("%s", problem)
        return None
