"""The whole virtual thermometer behind both radios: the same unit, the same answers."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from random import Random

import pytest

from contract.radios import EVERY_RADIO, OpenRadio, on_virtual_clock
from mitherm.errors import AttRefused, LinkLost
from mitherm.image.synth import synth
from mitherm.model.address import Address
from mitherm.protocol import uuids
from mitherm.protocol.mi import client as mi_client
from mitherm.protocol.ota.client import Pace, send_image
from mitherm.radio.driver import run
from mitherm.radio.gatt import Radio
from mitherm.radio.link import Link
from mitherm.virtual.board.chip import Chip
from mitherm.virtual.factory import make_unit
from mitherm.virtual.loopback.radio import Loopback
from mitherm.virtual.spec import UnitSpec
from mitherm.virtual.unit import Unit

HERE = Address.parse("A4:C1:38:00:00:07")
FIRMWARES = ["stock-1.0.0_0109", "stock-1.0.0_0130", "stock-2.1.1_0159", "atc1441", "pvvx-5.8"]
START_OF_UPDATE = b"\x01\xff"


def power_up(firmware: str) -> Unit:
    entropy = Random(7).randbytes
    made = make_unit(UnitSpec(firmware, address=HERE), entropy)
    unit = Unit(Chip(flash=made.flash, hardware="B1.4", entropy=entropy))
    unit.power_up(0.0)
    return unit


def radio_with(radio_of: OpenRadio, unit: Unit) -> AbstractAsyncContextManager[Radio]:
    return radio_of([unit])  # type: ignore[list-item]


async def everything_readable(radio: Radio) -> dict[str, bytes | int]:
    async with Link(radio, await radio.find(HERE, 20)) as link:
        values: dict[str, bytes | int] = {}
        for service in link.gatt:
            for characteristic in service.characteristics:
                if "read" in characteristic.properties and characteristic.uuid != uuids.STOCK_TIME:
                    try:
                        values[characteristic.uuid] = await link.read(characteristic.uuid)
                    except AttRefused as refused:
                        values[characteristic.uuid] = refused.code
        return values


@EVERY_RADIO
@pytest.mark.parametrize("firmware", FIRMWARES)
def test_discovery_equals_the_table(radio_of: OpenRadio, firmware: str) -> None:
    """Services, characteristics, properties and handles are the firmware's."""

    @on_virtual_clock
    async def look() -> None:
        unit = power_up(firmware)
        async with radio_with(radio_of, unit) as radio, Link(radio, await radio.find(HERE, 20)) as link:
            expected = [service for service in unit.gatt if service.uuid != uuids.GAP]
            assert [service.uuid for service in link.gatt] == [service.uuid for service in expected]
            for found, real in zip(link.gatt, expected, strict=True):
                assert [(c.uuid, c.handle, c.properties) for c in found.characteristics] == [
                    (c.uuid, c.handle, c.properties) for c in real.characteristics
                ]

    look()


@pytest.mark.air
@pytest.mark.parametrize("firmware", FIRMWARES)
def test_both_radios_read_the_same(firmware: str) -> None:
    """Every readable value but the clock, or the code of its refusal, is the same in memory and over the air."""
    from mitherm.virtual.air.radio import Air

    @on_virtual_clock
    async def compare() -> None:
        async with Loopback([power_up(firmware)]) as radio:
            in_memory = await everything_readable(radio)
        async with Air([power_up(firmware)]) as radio:
            assert await everything_readable(radio) == in_memory
        assert len(in_memory) > 2

    compare()


@EVERY_RADIO
@on_virtual_clock
async def test_update_without_login_is_cut_off(radio_of: OpenRadio) -> None:
    """Stock firmware ends the link at once when an update starts without a login."""
    opened = radio_with(radio_of, power_up("stock-1.0.0_0130"))
    async with opened as radio, Link(radio, await radio.find(HERE, 20)) as link:
        await link.write(uuids.OTA, START_OF_UPDATE)
        with pytest.raises(LinkLost):
            await link.pause(1)


@EVERY_RADIO
@on_virtual_clock
async def test_registration_and_login(radio_of: OpenRadio) -> None:
    """A new unit is registered, keys are kept before they take effect, and a later login with them succeeds."""
    entropy = Random(1).randbytes
    kept: list[object] = []
    async with radio_with(radio_of, power_up("stock-1.0.0_0130")) as radio:
        async with Link(radio, await radio.find(HERE, 20)) as link:
            keys = await run(mi_client.register(entropy), link, keeper=kept.append)
        assert kept == [keys]
        assert keys.token is not None
        async with Link(radio, await radio.find(HERE, 20)) as link:
            await run(mi_client.login(keys.token, entropy), link)


@EVERY_RADIO
@on_virtual_clock
async def test_an_update_lands(radio_of: OpenRadio) -> None:
    """An image sent to custom firmware boots: the unit comes back with the other firmware's table."""
    unit = power_up("atc1441")
    async with radio_with(radio_of, unit) as radio:
        async with Link(radio, await radio.find(HERE, 20)) as link:
            await run(send_image(synth("pvvx-5.8"), Pace.FAST, stock=False), link)
        async with Link(radio, await radio.find(HERE, 30)) as link:
            assert link.gatt.has_service(uuids.DEVICE_INFORMATION)
            assert (await link.read(uuids.SOFTWARE_REVISION)).startswith(b"V5.8")
