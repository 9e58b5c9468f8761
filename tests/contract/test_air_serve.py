"""The virtual air as a dongle for other processes."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from mitherm.errors import RadioUnavailable, Unavailable, UsageProblem
from mitherm.model.address import Address
from mitherm.protocol import uuids
from mitherm.radio.link import Link
from mitherm.virtual.air.hci import open_hci_radio
from mitherm.virtual.air.serve import serve
from unit.fakes.tiny_unit import TinyUnit

pytestmark = pytest.mark.air
CLIENT = Path(__file__).with_name("hci_client.py")
ANYWHERE = "tcp-server:127.0.0.1:0"


def client_of(endpoint: str) -> str:
    return endpoint.replace("server", "client")


async def run_client(endpoint: str, what: str, unit: TinyUnit) -> asyncio.subprocess.Process:
    arguments = (str(CLIENT), client_of(endpoint), what, str(unit.address))
    return await asyncio.create_subprocess_exec(sys.executable, *arguments, stdout=asyncio.subprocess.PIPE)


async def first_line(process: asyncio.subprocess.Process) -> bytes:
    assert process.stdout is not None
    async with asyncio.timeout(20):
        return (await process.stdout.readline()).strip()


@pytest.mark.e2e
async def test_killed_clients_leave_the_unit_free() -> None:
    """A client in a second process reads; one is killed in its connection; the next one finds the unit free."""
    unit = TinyUnit(interval_s=0.1)
    async with serve([unit], [ANYWHERE]) as (endpoint,):
        holder = await run_client(endpoint, "hold", unit)
        assert await first_line(holder) == b"TINY-1"
        assert unit.connected
        holder.kill()
        await holder.wait()
        reader = await run_client(endpoint, "read", unit)
        assert await first_line(reader) == b"TINY-1"
        assert await reader.wait() == 0
    assert unit.connections == 2


async def test_two_hosts_share_the_air() -> None:
    """Two clients, each with its own dongle, hear both units and hold one each."""
    units = [TinyUnit("A4:C1:38:00:00:01", 0.05), TinyUnit("A4:C1:38:00:00:02", 0.05)]

    async def read(endpoint: str, address: Address) -> bytes:
        radio_at = open_hci_radio(client_of(endpoint))
        async with radio_at as radio, Link(radio, await radio.find(address, 5)) as link:
            await met.wait()
            return await link.read(uuids.MODEL_NUMBER)

    met = asyncio.Barrier(2)
    async with serve(units, [ANYWHERE, ANYWHERE]) as endpoints:
        answers = await asyncio.gather(*(read(endpoints[n], units[n].address) for n in (0, 1)))
    assert answers == [b"TINY-1", b"TINY-1"]


async def test_nonsense_on_the_wire_ends_only_that_client() -> None:
    """Bytes that are no HCI close the connection; the endpoint goes on."""
    unit = TinyUnit(interval_s=0.05)
    async with serve([unit], [ANYWHERE]) as (endpoint,):
        host, port = endpoint.removeprefix("tcp-server:").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        async with asyncio.timeout(5):
            assert await reader.read() == b""
        writer.close()
        async with open_hci_radio(client_of(endpoint)) as radio:
            assert (await radio.find(unit.address, 5)).address == str(unit.address)


async def test_a_radio_that_is_not_there() -> None:
    """A closed port and an unknown transport are told apart."""
    with pytest.raises(RadioUnavailable):
        async with open_hci_radio("tcp-client:127.0.0.1:1"):
            pass
    with pytest.raises(UsageProblem):
        async with open_hci_radio("carrier-pigeon:7"):
            pass
    with pytest.raises(UsageProblem):
        async with serve([], ["carrier-pigeon:7"]):
            pass
    with pytest.raises(Unavailable):
        async with serve([], [ANYWHERE]) as (endpoint,), serve([], [endpoint]):
            pass
