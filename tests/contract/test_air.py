"""What is true of the virtual air beyond the contract of every radio."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from bleak import BleakClient, BleakScanner

from contract.radios import on_virtual_clock
from mitherm.errors import LinkLost
from mitherm.model.address import Address
from mitherm.protocol import uuids
from mitherm.radio.link import Link
from mitherm.virtual.air.radio import Air
from mitherm.virtual.board.chip import Advertise, Notify, RequestMtu, Terminate, Vanish
from unit.fakes.tiny_unit import ECHO, REBOOT, TinyUnit

pytestmark = pytest.mark.air
HERE = Address.parse("A4:C1:38:00:00:01")


@asynccontextmanager
async def linked(unit: TinyUnit) -> AsyncIterator[Link]:
    async with Air([unit]) as radio, Link(radio, await radio.find(unit.address, 10)) as link:
        yield link


@on_virtual_clock
async def test_genuine_bleak_is_used() -> None:
    """Clients are bleak's own."""
    async with Air([TinyUnit()]) as radio:
        seen = await radio.find(HERE, 10)
        assert type(radio.client(seen, lambda: None)) is BleakClient
        assert BleakScanner.__module__ == "bleak"


@on_virtual_clock
async def test_handles_are_those_of_the_table() -> None:
    """Value and descriptor handles arrive as the firmware has them, gaps included."""
    unit = TinyUnit()
    async with linked(unit) as link:
        for service in (service for service in unit.gatt if service.uuid != uuids.GAP):
            for real in service.characteristics:
                found = link.gatt.find(real.uuid)
                assert found is not None
                assert found.handle == real.handle
                assert [d.handle for d in found.descriptors] == [d.handle for d in real.descriptors]


@on_virtual_clock
async def test_service_data_accumulate_as_on_linux() -> None:
    """A unit that alternates formats is reported with both keys; `fresh` tells which one is news."""

    class Alternating(TinyUnit):
        def _advert(self) -> Advertise:
            plain = super()._advert()
            if self.frames % 2:
                return plain
            return Advertise(b"\x06\x16\x95\xfe" + bytes((0x30, 0x58, self.frames)), plain.scan_response)

    seen = []
    async with Air([Alternating()]) as radio, radio.sightings() as sightings:
        async for sighting in sightings:
            seen.append(sighting)
            if len(seen) == 4:
                break
    assert set(seen[-1].service_data) == {uuids.ADV_CUSTOM, uuids.ADV_MIBEACON}
    assert [len(sighting.fresh) for sighting in seen] == [1, 1, 1, 1]
    assert seen[2].fresh != seen[3].fresh


@pytest.mark.parametrize("farewell", [Terminate(0x13), Vanish()])
def test_last_words_are_heard(farewell: Terminate | Vanish) -> None:
    """What the firmware notifies right before it ends the link arrives."""

    class Leaving(TinyUnit):
        def _command(self, now: float, data: bytes):
            self._drop(now)
            return [Notify(ECHO, b"bye"), farewell]

    @on_virtual_clock
    async def talk() -> None:
        async with linked(Leaving()) as link:
            await link.subscribe(ECHO)
            await link.write(ECHO, b"leave")
            assert (await link.next_notification(2)).data == b"bye"
            with pytest.raises(LinkLost):
                await link.next_notification(30)

    talk()


@on_virtual_clock
async def test_a_unit_may_ask_for_a_larger_mtu() -> None:
    """An MTU exchange started by the unit is answered, and both sides use the result."""

    class Asking(TinyUnit):
        def connect(self, now: float):
            return [*super().connect(now), RequestMtu(100)]

    async with linked(Asking(att_mtu=100)) as link:
        await asyncio.sleep(1)
        assert link.mtu == 100


@on_virtual_clock
async def test_a_changed_address_is_used_after_the_boot() -> None:
    """Firmware that comes back under another address is found and connected there."""
    unit = TinyUnit()
    async with Air([unit]) as radio:
        async with Link(radio, await radio.find(HERE, 10)) as link:
            await link.write(ECHO, REBOOT)
            await link.wait_disconnect(10)
        unit.address = Address.parse("A4:C1:38:99:99:99")
        async with Link(radio, await radio.find(unit.address, 10)) as link:
            assert not link.lost


@on_virtual_clock
async def test_fifty_units() -> None:
    """Fifty units are heard within three seconds."""
    units = [TinyUnit(f"A4:C1:38:00:01:{number:02X}", 2.0) for number in range(50)]
    heard: set[str] = set()
    async with Air(units) as radio, radio.sightings() as sightings:
        start = asyncio.get_running_loop().time()
        async for seen in sightings:
            heard.add(seen.address)
            if seen.at_s > start + 3 or len(heard) == 50:
                break
    assert len(heard) == 50


@on_virtual_clock
async def test_a_thousand_commands_arrive() -> None:
    """A burst of commands with a read every sixteen is complete and in order."""
    unit = TinyUnit()
    async with linked(unit) as link:
        for number in range(1000):
            await link.write(ECHO, b"\x20" + number.to_bytes(2, "little"))
            if number % 16 == 15:
                await link.read(ECHO)
        await link.read(ECHO)
    assert [int.from_bytes(data[1:], "little") for _, data in unit.written] == list(range(1000))
