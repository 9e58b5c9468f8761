"""One virtual unit on bumble's air: its adverts, its attribute table at the true handles, its links."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final

from bumble import att, gatt, hci, l2cap
from bumble.device import Device, DeviceConfiguration
from bumble.host import Host
from bumble.transport.common import AsyncPipeSink
from bumble.utils import AsyncRunner

from mitherm.model.gatt import Characteristic, Descriptor, GattTable, Service
from mitherm.protocol import uuids
from mitherm.virtual.air.link import Advert, AirLink, Kind, UnitController
from mitherm.virtual.board.chip import (
    Action,
    Advertise,
    AttError,
    Notify,
    RequestMtu,
    RequestParameters,
    Terminate,
    Vanish,
)
from mitherm.virtual.runner import UnitRunner
from mitherm.virtual.unit import NoAnswer, Unit

LAST_WORDS_S: Final = 0.005
"""What the firmware sent just before it fell silent still goes out."""
_READABLE: Final = att.Attribute.READABLE
_WRITABLE: Final = att.Attribute.READABLE | att.Attribute.WRITEABLE


class AirUnit:
    """Between `start` and `stop` the unit can be heard and connected to."""

    def __init__(self, link: AirLink, unit: Unit) -> None:
        self.unit = unit
        self.controller = UnitController(link, unit, self)
        self.runner = UnitRunner(unit, self._act)
        self._link = link
        self._connection: Any = None
        self._values: dict[str, gatt.Characteristic] = {}
        self._unanswered: list[asyncio.Future[bytes]] = []
        config = DeviceConfiguration(name=str(unit.address), gap_service_enabled=False, gatt_service_enabled=False)
        host = Host(self.controller, AsyncPipeSink(self.controller))
        self._device = Device(config=config, host=host)
        self._device.on("connection", self._linked)

    async def start(self) -> None:
        """Set the host up, then let the unit live."""
        await self._device.power_on()
        self.runner.start()

    async def stop(self) -> None:
        """End a link; the unit stays as it is from then on."""
        self.controller.vanish(0.0)
        self.runner.stop()
        await self._device.power_off()

    # --- links --------------------------------------------------------------------------------------------------------

    def _linked(self, connection: Any) -> None:
        """A central connected: it finds the table of the firmware that runs now."""
        if not self.unit.connectable:
            self.controller.vanish(self.unit.supervision_s)
            return
        self._connection = connection
        self._device.gatt_server.max_mtu = self.unit.att_mtu
        self._load(self.unit.gatt)
        self.runner.connect()

    def link_ended(self) -> None:
        """The link is gone, whoever ended it."""
        for future in self._unanswered:
            future.cancel()
        self._unanswered.clear()
        if self._connection is not None:
            self._connection = None
            self.runner.disconnect()

    # --- what the unit does -------------------------------------------------------------------------------------------

    def _act(self, action: Action) -> None:
        if isinstance(action, Advertise):
            self._link.advertise(self.controller, _advert(action))
        elif self._connection is not None:
            self._act_on_link(self._connection, action)

    def _act_on_link(self, connection: Any, action: Action) -> None:
        match action:
            case Notify(char, data):
                self._notify(connection, char, data)
            case Terminate(reason):
                AsyncRunner.spawn(_quietly(connection.disconnect(reason)))
            case Vanish():
                asyncio.get_running_loop().call_later(LAST_WORDS_S, self.controller.vanish, self.unit.supervision_s)
            case RequestMtu(mtu):
                AsyncRunner.spawn(_quietly(connection.gatt_client.request_mtu(mtu)))
            case RequestParameters():
                self._request_parameters(connection, action)

    def _notify(self, connection: Any, char: str, data: bytes) -> None:
        """Sent in the order given, and only if the central has switched it on."""
        value = self._values.get(char)
        server = self._device.gatt_server
        cccd = server.read_cccd(connection, value) if value is not None else b"\0"
        kind = {1: att.ATT_Handle_Value_Notification, 2: att.ATT_Handle_Value_Indication}.get(cccd[0])
        if kind is not None and value is not None:
            pdu = kind(attribute_handle=value.handle, attribute_value=data[: connection.att_mtu - 3])
            server.send_gatt_pdu(connection, bytes(pdu))

    def _request_parameters(self, connection: Any, parameters: RequestParameters) -> None:
        manager = self._device.l2cap_channel_manager
        request = l2cap.L2CAP_Connection_Parameter_Update_Request(
            identifier=manager.next_identifier(connection),
            interval_min=parameters.minimum,
            interval_max=parameters.maximum,
            latency=parameters.latency,
            timeout=parameters.timeout,
        )
        manager.send_control_frame(connection, l2cap.L2CAP_LE_SIGNALING_CID, request)

    # --- attributes ---------------------------------------------------------------------------------------------------

    def _load(self, table: GattTable) -> None:
        """Replace all attributes; handles are the table's, not bumble's."""
        server = self._device.gatt_server
        server.attributes.clear()
        server.services.clear()
        server.attributes_by_handle.clear()
        server.subscribers.clear()
        self._values.clear()
        for service in table:
            self._load_service(service)

    def _load_service(self, service: Service) -> None:
        server = self._device.gatt_server
        values = [self._value(characteristic) for characteristic in service.characteristics]
        declared = gatt.Service(service.uuid, values)
        server.services.append(declared)
        self._place(declared, service.start, service.end)
        for characteristic, value in zip(service.characteristics, values, strict=True):
            end = max((characteristic.handle, *(descriptor.handle for descriptor in characteristic.descriptors)))
            self._place(gatt.CharacteristicDeclaration(value, characteristic.handle), characteristic.handle - 1, end)
            self._place(value, characteristic.handle, end)
            for descriptor, attribute in zip(characteristic.descriptors, value.descriptors, strict=True):
                self._place(attribute, descriptor.handle, descriptor.handle)

    def _place(self, attribute: Any, handle: int, end: int) -> None:
        attribute.handle, attribute.end_group_handle = handle, end
        self._device.gatt_server.attributes.append(attribute)

    def _value(self, characteristic: Characteristic) -> gatt.Characteristic:
        char = characteristic.uuid
        value = gatt.Characteristic(
            char,
            _properties(characteristic),
            _WRITABLE,
            gatt.CharacteristicValue(
                read=lambda _: self._read(char), write=lambda _, data: self._write(char, bytes(data))
            ),
        )
        value.descriptors = [self._descriptor(value, char, descriptor) for descriptor in characteristic.descriptors]
        self._values.setdefault(char, value)
        return value

    def _descriptor(self, value: gatt.Characteristic, char: str, descriptor: Descriptor) -> gatt.Descriptor:
        if descriptor.uuid != uuids.CCCD:
            return gatt.Descriptor(descriptor.uuid, _READABLE, descriptor.value)
        server = self._device.gatt_server

        def write(connection: Any, data: bytes) -> Any:
            server.write_cccd(connection, value, bytes(data))
            return self._answer(lambda: self.runner.subscribe(char, bytes(data)))

        cccd = gatt.CharacteristicValue(read=lambda connection: server.read_cccd(connection, value), write=write)
        return gatt.Descriptor(descriptor.uuid, _WRITABLE, cccd)

    def _read(self, char: str) -> Any:
        return self._answer(lambda: self.runner.read(char))

    def _write(self, char: str, data: bytes) -> Any:
        """A plain function: bumble starts one task for each write, and tasks that wait would overtake one another."""
        return self._answer(lambda: self.runner.write(char, data))

    def _answer(self, ask: Callable[[], bytes | None]) -> Any:
        """The unit's answer; its refusal as bumble wants it; or a future that ends with the link."""
        try:
            if self._connection is None:
                raise NoAnswer
            return ask()
        except AttError as error:
            raise att.ATT_Error(error_code=error.code) from error
        except NoAnswer:
            future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
            self._unanswered.append(future)
            return future


def _advert(action: Advertise) -> Advert:
    if action.connectable:
        kind = Kind.CONNECTABLE
    else:
        kind = Kind.SCANNABLE if action.scan_response else Kind.BROADCAST
    return Advert(kind, action.data, action.scan_response)


def _properties(characteristic: Characteristic) -> gatt.Characteristic.Properties:
    flags = gatt.Characteristic.Properties(0)
    for name in characteristic.properties:
        flags |= gatt.Characteristic.Properties[name.upper().replace("-", "_")]
    return flags


async def _quietly(coroutine: Coroutine[Any, Any, object]) -> None:
    """A link may end while the unit asks for something."""
    try:
        await coroutine
    except (hci.HCI_Error, att.ATT_Error, TimeoutError, asyncio.CancelledError):
        return
