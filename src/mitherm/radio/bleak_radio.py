"""Radios that bleak drives: the operating system's, or any backend of bleak's shape."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, Final, Self

from bleak import BleakClient, BleakScanner
from bleak.backends.client import BaseBleakClient
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData, BaseBleakScanner

from mitherm.errors import MithermError
from mitherm.model.sighting import Sighting
from mitherm.radio import failures, quirks
from mitherm.radio.gatt import GattClient, Radio
from mitherm.radio.stream import Freshness, SightingStream

SCAN_START_S: Final = 15.0
_NO_LIMIT_S: Final = 600.0
"""bleak's own connect time-out stays out of the way: the link has one."""

_log = logging.getLogger(__name__)


class BleakRadio(Radio):
    """`adapter` is hci0, hci1, ... on Linux. Backend classes and their arguments make it another radio than the system's."""

    def __init__(
        self,
        *,
        name: str = "system",
        adapter: str | None = None,
        simulated: bool = False,
        scanner_backend: type[BaseBleakScanner] | None = None,
        client_backend: type[BaseBleakClient] | None = None,
        **backend_arguments: Any,
    ) -> None:
        self.name = name
        self.simulated = simulated
        self.connecting = asyncio.Lock()
        self._scanner = {"backend": scanner_backend, **quirks.scan_arguments(adapter), **backend_arguments}
        self._client = {"backend": client_backend, **quirks.client_arguments(adapter), **backend_arguments}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing to close: scans and links close themselves."""

    @asynccontextmanager
    async def sightings(self) -> AsyncIterator[AsyncIterator[Sighting]]:
        """An active scan. Some systems repeat old service data beside new: see `Sighting.fresh`."""
        stream, freshness = SightingStream(), Freshness()

        def on_advert(device: BLEDevice, advert: AdvertisementData) -> None:
            stream.put(_sighting(device, advert, freshness))

        scanner = BleakScanner(on_advert, **self._scanner)
        try:
            async with asyncio.timeout(SCAN_START_S):
                await scanner.start()
        except Exception as error:
            translation = failures.translate_scan(error)
            if translation is None:
                raise
            raise translation from error
        try:
            yield stream
        finally:
            stream.close()
            await _stop(scanner)

    def client(self, sighting: Sighting, on_disconnect: Callable[[], None]) -> GattClient:
        """A fresh BleakClient."""
        device = sighting.handle if isinstance(sighting.handle, BLEDevice) else sighting.address
        return BleakClient(device, lambda _: on_disconnect(), timeout=_NO_LIMIT_S, **self._client)

    def translate(self, error: Exception) -> MithermError | None:
        """See `failures.translate`."""
        return failures.translate(error)


async def _stop(scanner: BleakScanner) -> None:
    try:
        await scanner.stop()
    except Exception as error:
        if failures.translate_scan(error) is None:
            raise
        _log.info("stopping the scan: %s", error)


def _sighting(device: BLEDevice, advert: AdvertisementData, freshness: Freshness) -> Sighting:
    service_data = {uuid.lower(): bytes(data) for uuid, data in advert.service_data.items()}
    return Sighting(
        address=device.address,
        name=advert.local_name or device.name,
        rssi_dbm=advert.rssi,
        service_data=service_data,
        at_s=asyncio.get_running_loop().time(),
        service_uuids=tuple(uuid.lower() for uuid in advert.service_uuids),
        fresh=freshness.of(device.address, service_data),
        handle=device,
    )
