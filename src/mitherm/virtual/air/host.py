"""A bumble host: one adapter, on the virtual air or on an HCI endpoint, shared by scanners and clients."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any, Final, TypeAlias

from bumble import core, hci
from bumble.device import Device, DeviceConfiguration
from bumble.host import Host

# bumble warns of every refusal and of units that advertise without its help; that is no news for anybody's terminal.
logging.getLogger("bumble").setLevel(logging.CRITICAL)

OPEN_S: Final = 5.0
"""A controller answers the start-up commands at once, or it is none."""

AdvertisingData: TypeAlias = Callable[[Any], None]


class AirHost:
    """Between `open` and `close` it scans for any number of listeners and holds any number of connections."""

    def __init__(self) -> None:
        self._device: Device
        self._listeners: set[AdvertisingData] = set()
        self._connecting = asyncio.Lock()
        self._scanning = asyncio.Lock()

    async def open(self, source: Any, sink: Any) -> None:
        """Reset the controller and switch on. Raises TimeoutError if nothing answers."""
        config = DeviceConfiguration(name="mitherm", gap_service_enabled=False, gatt_service_enabled=False)
        self._device = Device(config=config, host=Host(source, sink))
        self._device.host.on("advertising_report", self._heard)
        async with asyncio.timeout(OPEN_S):
            await self._device.power_on()

    async def close(self) -> None:
        """Disconnect everything."""
        for connection in list(self._device.connections.values()):
            with suppress(core.BaseBumbleError, hci.HCI_Error, TimeoutError):
                async with asyncio.timeout(OPEN_S):
                    await connection.disconnect()
        await self._device.power_off()

    # --- scanning -----------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def scanning(self, listener: AdvertisingData) -> AsyncIterator[None]:
        """Raw reports go to `listener`; the first listener starts the scan, the last one stops it."""
        async with self._scanning:
            if not self._listeners:
                await _uncut(self._device.start_scanning(active=True, filter_duplicates=False))
            self._listeners.add(listener)
        try:
            yield
        finally:
            self._listeners.discard(listener)
            async with self._scanning:
                if not self._listeners and self._device.powered_on:
                    await _uncut(self._device.stop_scanning())

    def _heard(self, report: Any) -> None:
        for listener in list(self._listeners):
            listener(report)

    # --- connecting ---------------------------------------------------------------------------------------------------

    async def connect(self, address: str) -> Any:
        """Wait for the unit's next connectable advert and connect; no time limit. A cancelled attempt leaves nothing."""
        peer = hci.Address(address, hci.Address.PUBLIC_DEVICE_ADDRESS)
        async with self._connecting:
            attempt = asyncio.ensure_future(
                self._device.connect_le(peer, own_address_type=hci.OwnAddressType.PUBLIC, timeout=None)
            )
            try:
                return await asyncio.shield(attempt)
            except asyncio.CancelledError:
                await self._give_up(attempt)
                raise

    async def _give_up(self, attempt: asyncio.Future[Any]) -> None:
        """bumble leaves a cancelled attempt pending in the controller (test-rig.md 1.3)."""
        if not attempt.done():
            with suppress(hci.HCI_Error):
                await self._device.send_sync_command(hci.HCI_LE_Create_Connection_Cancel_Command())
        with suppress(core.ConnectionError, asyncio.CancelledError):
            connection = await attempt
            await connection.disconnect()


async def _uncut(command: Coroutine[Any, Any, None]) -> None:
    """A command that went out is answered: bumble stumbles over the answer if nobody waits for it any more."""
    running = asyncio.ensure_future(command)
    try:
        await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait([running], timeout=OPEN_S)
        raise


def is_scan_response(report: Any) -> bool:
    """Legacy reports have a type, extended ones (real dongles) a bit."""
    if isinstance(report, hci.HCI_LE_Extended_Advertising_Report_Event.Report):
        return bool(report.event_type & hci.HCI_LE_Extended_Advertising_Report_Event.EventType.SCAN_RESPONSE)
    return bool(report.event_type == hci.HCI_LE_Advertising_Report_Event.EventType.SCAN_RSP)


def is_scannable(report: Any) -> bool:
    """Whether an active scan asks for more."""
    if isinstance(report, hci.HCI_LE_Extended_Advertising_Report_Event.Report):
        return bool(report.event_type & hci.HCI_LE_Extended_Advertising_Report_Event.EventType.SCANNABLE_ADVERTISING)
    kinds = hci.HCI_LE_Advertising_Report_Event.EventType
    return report.event_type in (kinds.ADV_IND, kinds.ADV_SCAN_IND)
