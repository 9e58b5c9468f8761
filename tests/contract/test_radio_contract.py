"""What every radio does alike: hear, connect, talk, and notice that a unit is gone."""

from __future__ import annotations

import asyncio

import pytest

from contract.radios import EVERY_RADIO, OpenRadio, on_virtual_clock
from mitherm.errors import AttRefused, CharacteristicMissing, DeviceNotFound, LinkLost, LinkTimeout
from mitherm.model.address import Address
from mitherm.model.sighting import Sighting
from mitherm.protocol import uuids
from mitherm.radio.link import Link
from unit.fakes.tiny_unit import ECHO, MUTE, NEVER_COME_BACK, NEW, REBOOT, SEALED, TERMINATE, VANISH, TinyUnit

pytestmark = EVERY_RADIO
HERE = Address.parse("A4:C1:38:00:00:01")


async def first(radio, address: Address = HERE) -> Sighting:
    return await radio.find(address, 10)


# --- hearing ----------------------------------------------------------------------------------------------------------


@on_virtual_clock
async def test_scan_reports_what_is_on_the_air(radio_of: OpenRadio) -> None:
    """A sighting carries address, name of the scan response, signal strength and service data."""
    async with radio_of([TinyUnit()]) as radio:
        seen = await radio.first(lambda seen: seen.name is not None, 10, "it")
    assert Address.parse(seen.address) == HERE
    assert (seen.name, seen.rssi_dbm) == ("TINY_01", -60)
    assert seen.service_data[uuids.ADV_CUSTOM][0] == 1


@on_virtual_clock
async def test_scan_follows_the_interval(radio_of: OpenRadio) -> None:
    """Five seconds at an interval of half a second bring about ten different frames, each fresh once."""
    counters = []
    async with radio_of([TinyUnit()]) as radio, radio.sightings() as sightings:
        start = asyncio.get_running_loop().time()
        async for seen in sightings:
            if seen.at_s - start > 5:
                break
            if uuids.ADV_CUSTOM in seen.fresh:
                counters.append(seen.service_data[uuids.ADV_CUSTOM][1])
    assert 8 <= len(counters) <= 12
    assert counters == list(range(counters[0], counters[0] + len(counters)))


@on_virtual_clock
async def test_out_of_range_is_silent(radio_of: OpenRadio) -> None:
    """A unit out of range is not found, in the time allowed."""
    unit = TinyUnit()
    unit.rssi_dbm = None
    async with radio_of([unit]) as radio:
        start = asyncio.get_running_loop().time()
        with pytest.raises(DeviceNotFound):
            await radio.find(HERE, 5)
        assert asyncio.get_running_loop().time() - start == pytest.approx(5, abs=0.1)


@on_virtual_clock
async def test_non_connectable_adverts_are_heard(radio_of: OpenRadio) -> None:
    """A non-connectable advert is reported, but nobody connects to it."""
    unit = TinyUnit()
    unit.advertises_connectably = False
    async with radio_of([unit]) as radio:
        seen = await first(radio)
        with pytest.raises(LinkTimeout):
            async with Link(radio, seen, connect_timeout_s=3, attempts=1):
                pass
    assert unit.connections == 0


# --- connecting -------------------------------------------------------------------------------------------------------


@on_virtual_clock
async def test_discovery_shows_the_table(radio_of: OpenRadio) -> None:
    """After connecting, services, characteristics, properties and descriptors are the unit's (GAP is hidden)."""
    unit = TinyUnit()
    async with radio_of([unit]) as radio, Link(radio, await first(radio)) as link:
        expected = [service for service in unit.gatt if service.uuid != uuids.GAP]
        assert [service.uuid for service in link.gatt] == [service.uuid for service in expected]
        for found, real in zip(link.gatt, expected, strict=True):
            assert [c.uuid for c in found.characteristics] == [c.uuid for c in real.characteristics]
            assert [c.properties for c in found.characteristics] == [c.properties for c in real.characteristics]
            assert [[d.uuid for d in c.descriptors] for c in found.characteristics] == [
                [d.uuid for d in c.descriptors] for c in real.characteristics
            ]


@on_virtual_clock
async def test_leaving_frees_the_unit(radio_of: OpenRadio) -> None:
    """After the context the unit is free again and advertises; a second connection works."""
    unit = TinyUnit()
    async with radio_of([unit]) as radio:
        for _ in range(2):
            async with Link(radio, await first(radio)):
                assert unit.connected
            await asyncio.sleep(0.1)
            assert not unit.connected
    assert unit.connections == 2


@on_virtual_clock
async def test_absent_unit_times_out(radio_of: OpenRadio) -> None:
    """Connecting to a unit that went silent ends with LinkTimeout after all attempts."""
    unit = TinyUnit()
    async with radio_of([unit]) as radio:
        seen = await first(radio)
        unit.running = False
        start = asyncio.get_running_loop().time()
        with pytest.raises(LinkTimeout):
            async with Link(radio, seen, connect_timeout_s=5, attempts=2):
                pass
        assert 10 <= asyncio.get_running_loop().time() - start < 13


@on_virtual_clock
async def test_a_connect_that_was_given_up_leaves_nothing_behind(radio_of: OpenRadio) -> None:
    """A unit that appears after a cancelled attempt is not connected by a ghost, and can be connected."""
    unit = TinyUnit()
    async with radio_of([unit]) as radio:
        seen = await first(radio)
        unit.rssi_dbm = None
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(2), Link(radio, seen):
                pass
        unit.rssi_dbm = -60
        await asyncio.sleep(2)
        assert unit.connections == 0
        async with Link(radio, await first(radio)) as link:
            assert not link.lost


@on_virtual_clock
async def test_three_links_at_once(radio_of: OpenRadio) -> None:
    """Three units are connected at the same time and each answers for itself."""
    units = [TinyUnit(f"A4:C1:38:00:00:0{number}") for number in (1, 2, 3)]
    met = asyncio.Barrier(3)

    async def talk(radio, unit: TinyUnit) -> bytes:
        async with Link(radio, await first(radio, unit.address)) as link:
            await met.wait()
            await link.subscribe(ECHO)
            await link.write(ECHO, b"\x01" + unit.address.octets)
            return (await link.next_notification(3)).data

    async with radio_of(units) as radio:
        answers = await asyncio.gather(*(talk(radio, unit) for unit in units))
    assert answers == [unit.address.octets for unit in units]


# --- talking ----------------------------------------------------------------------------------------------------------


@on_virtual_clock
async def test_read(radio_of: OpenRadio) -> None:
    """A read brings the value."""
    async with radio_of([TinyUnit()]) as radio, Link(radio, await first(radio)) as link:
        assert await link.read(uuids.MODEL_NUMBER) == b"TINY-1"


@on_virtual_clock
async def test_writes_arrive_in_order(radio_of: OpenRadio) -> None:
    """Commands and requests, mixed, arrive in the order they were written."""
    unit = TinyUnit()
    async with radio_of([unit]) as radio, Link(radio, await first(radio)) as link:
        for number in range(40):
            await link.write(ECHO, bytes((0x20, number)), response=number % 7 == 6)
        await link.read(ECHO)
    assert [data[1] for _, data in unit.written] == list(range(40))


@on_virtual_clock
async def test_commands_pass_an_open_read(radio_of: OpenRadio) -> None:
    """While a begun read is open, write commands go out; the read's answer is collected later."""
    unit = TinyUnit()
    async with radio_of([unit]) as radio, Link(radio, await first(radio)) as link:
        await link.begin_read(MUTE)
        await link.write(ECHO, b"\x20")
        await asyncio.sleep(0.2)
        assert unit.written == [(ECHO, b"\x20")]
    async with radio_of([unit]) as radio, Link(radio, await first(radio)) as link:
        await link.begin_read(ECHO)
        await link.write(ECHO, b"\x21")
        assert await link.finish_read() == b"echo!"


@on_virtual_clock
async def test_notifications_come_in_order_and_only_when_wanted(radio_of: OpenRadio) -> None:
    """Before the subscription nothing arrives; after it everything does, in order."""
    unit = TinyUnit()
    async with radio_of([unit]) as radio, Link(radio, await first(radio)) as link:
        await link.write(ECHO, b"\x01unheard", response=True)
        await link.subscribe(ECHO)
        await link.subscribe(ECHO)
        await link.write(ECHO, b"\x02\x32")
        got = [(await link.next_notification(3)).data[0] for _ in range(50)]
        assert got == list(range(50))
        with pytest.raises(LinkTimeout):
            await link.next_notification(1)
    assert unit.subscriptions == [(ECHO, b"\x01\x00")]


@on_virtual_clock
async def test_notifications_are_cut_to_the_mtu(radio_of: OpenRadio) -> None:
    """With an MTU of 23, twenty bytes of a notification arrive."""
    async with radio_of([TinyUnit()]) as radio, Link(radio, await first(radio)) as link:
        await link.subscribe(ECHO)
        await link.write(ECHO, b"\x01" + bytes(40), response=True)
        assert len((await link.next_notification(3)).data) == 20


@on_virtual_clock
async def test_a_larger_mtu_is_used(radio_of: OpenRadio) -> None:
    """A unit that agrees to 64 bytes gets 61 in one command."""
    unit = TinyUnit(att_mtu=64)
    async with radio_of([unit]) as radio, Link(radio, await first(radio)) as link:
        assert link.mtu == 64
        await link.write(ECHO, bytes(61))
        await link.read(ECHO)
    assert unit.written == [(ECHO, bytes(61))]


@on_virtual_clock
async def test_a_command_that_does_not_fit_is_refused(radio_of: OpenRadio) -> None:
    """21 bytes do not fit into a command at an MTU of 23: an error, not a truncated write."""
    unit = TinyUnit()
    async with radio_of([unit]) as radio, Link(radio, await first(radio)) as link:
        with pytest.raises(AttRefused):
            await link.write(ECHO, bytes(21))
    assert unit.written == []


@on_virtual_clock
async def test_refusals_keep_their_code(radio_of: OpenRadio) -> None:
    """ATT errors of reads and write requests arrive with the unit's code, and the link stays."""
    async with radio_of([TinyUnit()]) as radio, Link(radio, await first(radio)) as link:
        with pytest.raises(AttRefused) as read:
            await link.read(SEALED)
        with pytest.raises(AttRefused) as write:
            await link.write(SEALED, b"x", response=True)
        await link.write(SEALED, b"x")
        assert (read.value.code, write.value.code) == (5, 3)
        assert await link.read(ECHO) == b"echo!"


@on_virtual_clock
async def test_a_missing_characteristic_is_named(radio_of: OpenRadio) -> None:
    """What the table does not hold raises CharacteristicMissing for every operation."""
    async with radio_of([TinyUnit()]) as radio, Link(radio, await first(radio)) as link:
        for operation in (link.read(NEW), link.write(NEW, b""), link.subscribe(NEW), link.begin_read(NEW)):
            with pytest.raises(CharacteristicMissing, match="cccc"):
                await operation
        with pytest.raises(CharacteristicMissing):
            await link.subscribe(uuids.MODEL_NUMBER)


# --- losing -----------------------------------------------------------------------------------------------------------


@on_virtual_clock
async def test_a_closed_link_is_known_at_once(radio_of: OpenRadio) -> None:
    """When the unit terminates, a waiting call ends with LinkLost long before its own limit."""
    async with radio_of([TinyUnit()]) as radio, Link(radio, await first(radio)) as link:
        await link.subscribe(ECHO)
        start = asyncio.get_running_loop().time()
        await link.write(ECHO, TERMINATE)
        with pytest.raises(LinkLost):
            await link.next_notification(30)
        assert asyncio.get_running_loop().time() - start < 1
        for operation in (link.read(ECHO), link.write(ECHO, b""), link.pause(1), link.next_notification(1)):
            with pytest.raises(LinkLost):
                await operation


@on_virtual_clock
async def test_a_silent_unit_is_missed_after_its_supervision_time(radio_of: OpenRadio) -> None:
    """A reset sends nothing: commands go nowhere, and after four seconds the read that waits ends with LinkLost."""
    async with radio_of([TinyUnit()]) as radio, Link(radio, await first(radio)) as link:
        start = asyncio.get_running_loop().time()
        await link.write(ECHO, VANISH)
        await link.write(ECHO, b"into the void")
        with pytest.raises(LinkLost):
            await link.read(ECHO)
        assert asyncio.get_running_loop().time() - start == pytest.approx(4, abs=0.5)


@on_virtual_clock
async def test_an_unanswered_read_times_out(radio_of: OpenRadio) -> None:
    """A read that is never answered ends with LinkTimeout while the link stays."""
    async with radio_of([TinyUnit()]) as radio, Link(radio, await first(radio)) as link:
        with pytest.raises(LinkTimeout):
            await link.read(MUTE, timeout_s=2)
        assert not link.lost


@on_virtual_clock
async def test_waiting_for_the_end(radio_of: OpenRadio) -> None:
    """`wait_disconnect` returns when the link ends and times out while it holds."""
    async with radio_of([TinyUnit()]) as radio, Link(radio, await first(radio)) as link:
        with pytest.raises(LinkTimeout):
            await link.wait_disconnect(1)
        await link.write(ECHO, VANISH)
        assert await link.wait_disconnect(10) in (None, 0x08)
        assert link.lost


@on_virtual_clock
async def test_what_came_before_the_end_is_still_delivered(radio_of: OpenRadio) -> None:
    """Notifications that arrived before the loss are given, then LinkLost."""
    async with radio_of([TinyUnit()]) as radio, Link(radio, await first(radio)) as link:
        await link.subscribe(ECHO)
        await link.write(ECHO, b"\x01last words")
        await link.write(ECHO, TERMINATE)
        await link.wait_disconnect(5)
        assert (await link.next_notification(1)).data == b"last words"
        with pytest.raises(LinkLost):
            await link.next_notification(1)


@on_virtual_clock
async def test_cancellation_passes_and_frees_the_unit(radio_of: OpenRadio) -> None:
    """A cancelled conversation raises CancelledError, not an error of the link, and the unit is free afterwards."""
    unit = TinyUnit()
    async with radio_of([unit]) as radio:
        seen = await first(radio)

        async def talk() -> None:
            async with Link(radio, seen) as link:
                await link.read(MUTE)

        task = asyncio.create_task(talk())
        await asyncio.sleep(3)
        assert unit.connected
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.sleep(0.2)
        assert not unit.connected


@on_virtual_clock
async def test_closing_the_radio_frees_the_units(radio_of: OpenRadio) -> None:
    """A link left open when the radio goes is closed at the unit too."""
    unit = TinyUnit()
    async with radio_of([unit]) as radio:
        link = Link(radio, await first(radio))
        await link.__aenter__()
    assert not unit.connected
    assert link.lost
    await link.__aexit__(None, None, None)


@on_virtual_clock
async def test_a_rebooted_unit_shows_its_new_table(radio_of: OpenRadio) -> None:
    """After a reboot into other firmware the next connection sees the other table, at the same handles."""
    unit = TinyUnit()
    async with radio_of([unit]) as radio:
        seen = await first(radio)
        async with Link(radio, seen) as link:
            await link.write(ECHO, REBOOT)
            await link.wait_disconnect(10)
        async with Link(radio, await first(radio)) as link:
            assert link.gatt.find(ECHO) is None
            assert await link.read(NEW) == b"new"


@on_virtual_clock
async def test_a_unit_that_stays_dark_is_not_found(radio_of: OpenRadio) -> None:
    """After the light goes out for good, looking for the unit ends with DeviceNotFound."""
    async with radio_of([TinyUnit()]) as radio:
        async with Link(radio, await first(radio)) as link:
            await link.write(ECHO, NEVER_COME_BACK)
            await link.wait_disconnect(10)
        with pytest.raises(DeviceNotFound):
            await radio.find(HERE, 10)
