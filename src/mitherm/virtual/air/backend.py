"""bleak backends over a bumble host, behaving as BlueZ does (test-rig.md 2 and 4.1)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from contextlib import AsyncExitStack
from typing import Any, Final, TypeVar

from bleak.args import SizedBuffer
from bleak.backends.characteristic import BleakGATTCharacteristic, GattCharacteristicsFlags
from bleak.backends.client import BaseBleakClient, NotifyCallback
from bleak.backends.descriptor import BleakGATTDescriptor
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData, AdvertisementDataCallback, BaseBleakScanner
from bleak.backends.service import BleakGATTService, BleakGATTServiceCollection
from bleak.exc import BleakError, BleakGATTProtocolError
from bleak.uuids import normalize_uuid_str
from bumble import att, core, hci

from mitherm.protocol import uuids
from mitherm.virtual.air.host import AirHost, is_scan_response, is_scannable
from mitherm.virtual.scanner import AdvertisingData

LARGEST_MTU: Final = 517
SCAN_RESPONSE_S: Final = 0.1
"""An advert whose scan response was not heard by then is reported without it."""
_ATT_HEADER: Final = 3
_UNLIKELY: Final = 0x0E

_T = TypeVar("_T")


class AirScanner(BaseBleakScanner):
    """An active scan. As on Linux, a scan response comes with its advert, names stay, service data accumulate."""

    def __init__(
        self,
        detection_callback: AdvertisementDataCallback | None,
        service_uuids: list[str] | None,
        scanning_mode: str,
        *,
        host: AirHost,
        **_: object,
    ) -> None:
        super().__init__(detection_callback, service_uuids)
        self._host = host
        self._stack = AsyncExitStack()
        self._held: dict[str, tuple[Any, asyncio.TimerHandle]] = {}

    async def start(self) -> None:
        """Begin to listen."""
        self.seen_devices = {}
        await self._stack.enter_async_context(self._host.scanning(self._heard))

    async def stop(self) -> None:
        """Listen no more."""
        await self._stack.aclose()
        for _, timer in self._held.values():
            timer.cancel()
        self._held.clear()

    def _heard(self, report: Any) -> None:
        address = report.address.to_string(False)
        advert, timer = self._held.pop(address, (None, None))
        if timer is not None:
            timer.cancel()
        if is_scan_response(report):
            self._tell(address, report, b"" if advert is None else bytes(advert.data), bytes(report.data))
        elif is_scannable(report):
            loop = asyncio.get_running_loop()
            self._held[address] = (report, loop.call_later(SCAN_RESPONSE_S, self._heard_alone, address))
        else:
            self._tell(address, report, bytes(report.data))

    def _heard_alone(self, address: str) -> None:
        report, _ = self._held.pop(address)
        self._tell(address, report, bytes(report.data))

    def _tell(self, address: str, report: Any, data: bytes, scan_response: bytes = b"") -> None:
        _, before = self.seen_devices.get(address, (None, None))
        parsed = AdvertisingData.parse(data, scan_response)
        advert = AdvertisementData(
            local_name=parsed.name or (before.local_name if before else None),
            manufacturer_data={},
            service_data={**(before.service_data if before else {}), **parsed.service_data},
            service_uuids=list(parsed.service_uuids) or (before.service_uuids if before else []),
            tx_power=None,
            rssi=report.rssi,
            platform_data=(),
        )
        device = self.create_or_update_device(address, address, advert.local_name, None, advert)
        if self.is_allowed_uuid(advert.service_uuids):
            self.call_detection_callbacks(device, advert)


class AirClient(BaseBleakClient):
    """One connection through an `AirHost`."""

    def __init__(self, address_or_ble_device: BLEDevice | str, *, host: AirHost, **kwargs: Any) -> None:
        super().__init__(address_or_ble_device, **kwargs)
        self._host = host
        self._connection: Any = None

    @property
    def name(self) -> str:
        """The address: BlueZ would know more."""
        return self.address.replace(":", "-")

    @property
    def mtu_size(self) -> int:
        """The negotiated ATT MTU."""
        return int(self._connection.att_mtu) if self._connection is not None else 23

    @property
    def is_connected(self) -> bool:
        """True until the loss is known."""
        return self._connection is not None

    async def connect(self, pair: bool, **kwargs: Any) -> None:
        """Connect, agree on an MTU, discover. Raises TimeoutError, BleakError."""
        if self.is_connected:
            raise BleakError("Client is already connected")
        async with asyncio.timeout(self._timeout):
            connection = await self._host.connect(self.address)
            self._connection = connection
            connection.on("disconnection", self._lost)
            try:
                await self._ask(connection.gatt_client.request_mtu(LARGEST_MTU))
                self.services = await self._discover()
            except BaseException as error:
                await self.disconnect()
                if isinstance(error, BleakGATTProtocolError):
                    raise BleakError("failed to discover services, device disconnected") from error
                raise

    def _lost(self, _: int) -> None:
        self._connection = None
        self.services = None
        if self._disconnected_callback is not None:
            self._disconnected_callback()

    async def disconnect(self) -> None:
        """End the link, if there is one."""
        if self._connection is not None:
            try:
                await self._connection.disconnect()
            except (core.BaseBumbleError, hci.HCI_Error) as error:
                raise BleakError(f"disconnecting failed: {error}") from error

    async def pair(self, *args: Any, **kwargs: Any) -> None:
        """Not part of the virtual air."""
        raise NotImplementedError

    async def unpair(self) -> None:
        """Not part of the virtual air."""
        raise NotImplementedError

    # --- discovery ----------------------------------------------------------------------------------------------------

    async def _discover(self) -> BleakGATTServiceCollection:
        """All services but GAP, which BlueZ hides too."""
        collection = BleakGATTServiceCollection()
        for service in await self._ask(self._gatt.discover_services()):
            if _uuid(service.uuid) != uuids.GAP:
                await self._discover_service(collection, service)
        return collection

    async def _discover_service(self, collection: BleakGATTServiceCollection, service: Any) -> None:
        bleak_service = BleakGATTService(service, service.handle, _uuid(service.uuid))
        collection.add_service(bleak_service)
        for proxy in await self._ask(self._gatt.discover_characteristics((), service)):
            characteristic = BleakGATTCharacteristic(
                proxy,
                proxy.handle,
                _uuid(proxy.uuid),
                [flag.name.replace("_", "-") for flag in GattCharacteristicsFlags if proxy.properties & flag.value],  # type: ignore[misc]
                lambda: self.mtu_size - _ATT_HEADER,
                bleak_service,
            )
            collection.add_characteristic(characteristic)
            for descriptor in await self._ask(self._gatt.discover_descriptors(proxy)):
                collection.add_descriptor(
                    BleakGATTDescriptor(descriptor, descriptor.handle, _uuid(descriptor.type), characteristic)
                )

    # --- operations ---------------------------------------------------------------------------------------------------

    @property
    def _gatt(self) -> Any:
        if self._connection is None:
            raise BleakError("Not connected")
        return self._connection.gatt_client

    async def _ask(self, request: Awaitable[_T]) -> _T:
        """A request whose failures look like BlueZ': a link that is lost meanwhile is ATT error 14."""
        try:
            return await request
        except att.ATT_Error as error:
            raise BleakGATTProtocolError(error.error_code) from error
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if self._connection is not None or (task is not None and task.cancelling()):
                raise
            raise BleakGATTProtocolError(_UNLIKELY) from None
        except core.BaseBumbleError as error:
            raise BleakError(str(error)) from error

    async def read_gatt_char(
        self, characteristic: BleakGATTCharacteristic, *, use_cached: bool = False, **kwargs: Any
    ) -> bytearray:
        """Read, long values included."""
        return bytearray(await self._ask(self._gatt.read_value(characteristic.obj)))

    async def read_gatt_descriptor(
        self, descriptor: BleakGATTDescriptor, *, use_cached: bool = False, **kwargs: Any
    ) -> bytearray:
        """Read a descriptor."""
        return bytearray(await self._ask(self._gatt.read_value(descriptor.obj)))

    async def write_gatt_char(self, characteristic: BleakGATTCharacteristic, data: SizedBuffer, response: bool) -> None:
        """A command returns when the controller has taken it."""
        gatt, connection = self._gatt, self._connection
        if not response and len(data) > self.mtu_size - _ATT_HEADER:
            raise BleakError("Failed to initiate write")
        await self._ask(gatt.write_value(characteristic.obj, bytes(data), with_response=response))
        if not response:
            await self._ask(connection.drain())

    async def write_gatt_descriptor(self, descriptor: BleakGATTDescriptor, data: SizedBuffer) -> None:
        """Write a descriptor."""
        await self._ask(self._gatt.write_value(descriptor.obj, bytes(data), with_response=True))

    async def start_notify(
        self, characteristic: BleakGATTCharacteristic, callback: NotifyCallback, **kwargs: Any
    ) -> None:
        """Write the CCCD."""
        if characteristic.get_descriptor(uuids.CCCD) is None:
            raise BleakError("characteristic does not support notifications or indications")
        await self._ask(self._gatt.subscribe(characteristic.obj, lambda data: callback(bytearray(data))))

    async def stop_notify(self, characteristic: BleakGATTCharacteristic) -> None:
        """Clear the CCCD."""
        await self._ask(self._gatt.unsubscribe(characteristic.obj, force=True))


def _uuid(uuid: core.UUID) -> str:
    return normalize_uuid_str(uuid.to_hex_str("-"))
