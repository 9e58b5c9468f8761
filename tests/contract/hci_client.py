"""A second process that uses an HCI endpoint: `python hci_client.py MONIKER read|hold ADDRESS`."""

import asyncio
import sys

from mitherm.model.address import Address
from mitherm.protocol import uuids
from mitherm.radio.link import Link
from mitherm.virtual.air.hci import open_hci_radio


async def main(moniker: str, what: str, address: str) -> None:
    async with open_hci_radio(moniker) as radio:
        seen = await radio.find(Address.parse(address), 10)
        async with Link(radio, seen) as link:
            print((await link.read(uuids.MODEL_NUMBER)).decode(), flush=True)
            if what == "hold":
                await asyncio.sleep(60)


asyncio.run(main(*sys.argv[1:]))
