"""bumble's virtual air with the gaps closed that matter to us (test-rig.md 1.1). bumble is pinned exactly for this file.

Units advertise and accept through `UnitController` without HCI advertising commands; centrals, ours and foreign ones,
are `CentralController`s. A connection is a pair of `AirConnection`s that know each other.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final

from bumble import hci, ll
from bumble.controller import Connection, Controller
from bumble.core import PhysicalTransport
from bumble.link import LocalLink

from mitherm.virtual.unit import Unit

SUPERVISION_TIMEOUT: Final = 0x08
_EXTENDED: Final = (
    hci.LeFeatureMask.LE_EXTENDED_ADVERTISING | hci.LeFeatureMask.LE_PERIODIC_ADVERTISING | hci.LeFeatureMask.LL_PRIVACY
)
_SCAN_RESPONSE: Final = 4
_ANY_ON_ACCEPT_LIST: Final = 1


class Kind(IntEnum):
    """Advertising PDUs, numbered as in HCI reports."""

    CONNECTABLE = 0
    SCANNABLE = 2
    BROADCAST = 3


@dataclass(frozen=True, slots=True)
class Advert:
    """One advertising event."""

    kind: Kind
    data: bytes
    scan_response: bytes


class AirLink(LocalLink):  # type: ignore[misc]
    """The air: every advert reaches every central in range."""

    def advertise(self, sender: UnitController, advert: Advert) -> None:
        """Deliver on the next turn of the loop."""
        for controller in self.controllers:
            if isinstance(controller, CentralController):
                asyncio.get_running_loop().call_soon(controller.hear, sender, advert)


class AirConnection(Connection):  # type: ignore[misc]
    """One end of a connection; `peer` is the other one, None once that is gone."""

    peer: AirConnection | None = None
    _whole = False

    def on_hci_acl_data_packet(self, packet: Any) -> None:
        """A packet's credit comes back when it is delivered, so that the sender feels how fast the air is."""
        self._whole = False
        self.assembler.feed_packet(packet)
        if not self._whole:
            self._give_back()

    def on_acl_pdu(self, pdu: bytes) -> None:
        """The packets so far are a whole L2CAP PDU."""
        self._whole = True
        asyncio.get_running_loop().call_soon(self._arrive, pdu)

    def _arrive(self, pdu: bytes) -> None:
        self._give_back()
        if self.peer is not None:
            packet = hci.HCI_AclDataPacket(self.peer.handle, 2, 0, len(pdu), pdu)
            self.peer.controller.send_hci_packet(packet)

    def _give_back(self) -> None:
        event = hci.HCI_Number_Of_Completed_Packets_Event(connection_handles=[self.handle], num_completed_packets=[1])
        self.controller.send_hci_packet(event)

    def send_ll_control_pdu(self, packet: Any) -> None:
        """To the other end, if it is still there."""
        if self.peer is not None:
            asyncio.get_running_loop().call_soon(self.peer.hear_control, packet)

    def hear_control(self, packet: Any) -> None:
        """A link-layer message arrives, unless this end is gone by now."""
        if self.up:
            self.controller.on_ll_control_pdu(self.peer_address, packet)

    @property
    def up(self) -> bool:
        """Whether the controller still holds this end."""
        return self.controller.le_connections.get(self.peer_address) is self

    def end(self, reason: int) -> None:
        """This end is over; the host is told."""
        if self.up:
            self.controller.on_le_disconnected(self, reason)


class AirController(Controller):  # type: ignore[misc]
    """What both ends have in common."""

    le_features = Controller.le_features & ~_EXTENDED
    total_num_le_acl_data_packets = 8

    def open_connection(self, role: hci.Role, own: hci.Address, peer: hci.Address) -> AirConnection:
        """A new end, not joined to another one yet."""
        handle = self.allocate_connection_handle()
        acl = hci.HCI_Connection_Complete_Event.LinkType.ACL
        connection = AirConnection(self, handle, role, own, peer, self.link, PhysicalTransport.LE, acl)
        self.le_connections[peer] = connection
        return connection

    def announce(self, connection: AirConnection, command: Any) -> None:
        """Tell the host of a new connection."""
        self.send_hci_packet(
            hci.HCI_LE_Connection_Complete_Event(
                status=hci.HCI_ErrorCode.SUCCESS,
                connection_handle=connection.handle,
                role=connection.role,
                peer_address_type=connection.peer_address.address_type,
                peer_address=connection.peer_address,
                connection_interval=command.connection_interval_max,
                peripheral_latency=command.max_latency,
                supervision_timeout=command.supervision_timeout,
                central_clock_accuracy=0,
            )
        )

    def on_le_disconnected(self, connection: AirConnection, reason: int) -> None:
        """The other end talks to nobody from now on."""
        super().on_le_disconnected(connection, reason)
        if connection.peer is not None:
            connection.peer.peer = None


class UnitController(AirController):
    """The radio of one unit. `owner` is told when a link begins to exist or ends."""

    def __init__(self, link: AirLink, unit: Unit, owner: Any) -> None:
        super().__init__(str(unit.address), link=link)
        self.unit = unit
        self._owner = owner

    @property
    def public_address(self) -> hci.Address:
        """As the firmware has it now: another one may come with the next boot."""
        return hci.Address(str(self.unit.address), hci.Address.PUBLIC_DEVICE_ADDRESS)

    @property
    def free(self) -> bool:
        """Whether a central may connect."""
        return self.unit.connectable and not self.le_connections

    @property
    def connection(self) -> AirConnection | None:
        """The link, if there is one."""
        return next(iter(self.le_connections.values()), None)

    def on_le_disconnected(self, connection: AirConnection, reason: int) -> None:
        """The central, or this side, ended the link."""
        super().on_le_disconnected(connection, reason)
        self._owner.link_ended()

    def vanish(self, supervision_s: float) -> None:
        """Silence: the central misses this end when its supervision time-out has passed."""
        connection = self.connection
        if connection is not None:
            if connection.peer is not None:
                asyncio.get_running_loop().call_later(supervision_s, connection.peer.end, SUPERVISION_TIMEOUT)
            connection.end(SUPERVISION_TIMEOUT)


class CentralController(AirController):
    """A dongle: scans and initiates."""

    pending_le_connection: Any

    def __init__(self, name: str, link: AirLink, address: str, *, source: Any = None, sink: Any = None) -> None:
        public = hci.Address(address, hci.Address.PUBLIC_DEVICE_ADDRESS)
        super().__init__(name, host_source=source, host_sink=sink, link=link, public_address=public)
        self._accept_list: set[hci.Address] = set()

    def hear(self, sender: UnitController, advert: Advert) -> None:
        """An advert, if it is within range: reported to the host, and answered if the host wants to connect."""
        rssi = sender.unit.rssi_dbm
        if rssi is None:
            return
        if self.le_scan_enable:
            self._report(sender, advert.kind, advert.data, rssi)
            if self.le_scan_type == 1 and advert.kind != Kind.BROADCAST:
                self._report(sender, _SCAN_RESPONSE, advert.scan_response, rssi)
        if self._wants(sender) and advert.kind == Kind.CONNECTABLE and sender.free:
            self._initiate(sender)

    def _report(self, sender: UnitController, kind: int, data: bytes, rssi: int) -> None:
        address = sender.public_address
        report = hci.HCI_LE_Advertising_Report_Event.Report(
            event_type=kind, address_type=address.address_type, address=address, data=data, rssi=rssi
        )
        self.send_hci_packet(hci.HCI_LE_Advertising_Report_Event([report]))

    def _wants(self, sender: UnitController) -> bool:
        command = self.pending_le_connection
        if command is None or sender.public_address in self.le_connections:
            return False
        if command.initiator_filter_policy == _ANY_ON_ACCEPT_LIST:
            return sender.public_address in self._accept_list
        return bool(command.peer_address == sender.public_address)

    def _initiate(self, sender: UnitController) -> None:
        command, self.pending_le_connection = self.pending_le_connection, None
        own = self.public_address if command.own_address_type == hci.OwnAddressType.PUBLIC else self.random_address
        mine = self.open_connection(hci.Role.CENTRAL, own, sender.public_address)
        other = sender.open_connection(hci.Role.PERIPHERAL, sender.public_address, own)
        mine.peer, other.peer = other, mine
        sender.announce(other, command)
        self.announce(mine, command)

    def unplug(self) -> None:
        """The host is gone: stop everything and drop all links."""
        self.le_scan_enable = False
        self.pending_le_connection = None
        self._accept_list.clear()
        for connection in list(self.le_connections.values()):
            connection.send_ll_control_pdu(ll.TerminateInd(SUPERVISION_TIMEOUT))
            del self.le_connections[connection.peer_address]

    # --- HCI commands that bumble answers without doing anything ------------------------------------------------------

    def on_hci_reset_command(self, command: Any) -> Any:
        """Forget the host before."""
        self.unplug()
        return super().on_hci_reset_command(command)

    def on_hci_le_create_connection_cancel_command(self, command: Any) -> Any:
        """The attempt ends with its own event, as the standard demands."""
        pending, self.pending_le_connection = self.pending_le_connection, None
        if pending is None:
            return hci.HCI_StatusReturnParameters(hci.HCI_ErrorCode.COMMAND_DISALLOWED_ERROR)
        event = hci.HCI_LE_Connection_Complete_Event(
            status=hci.HCI_ErrorCode.UNKNOWN_CONNECTION_IDENTIFIER_ERROR,
            connection_handle=0,
            role=hci.Role.CENTRAL,
            peer_address_type=pending.peer_address.address_type,
            peer_address=pending.peer_address,
            connection_interval=0,
            peripheral_latency=0,
            supervision_timeout=0,
            central_clock_accuracy=0,
        )
        asyncio.get_running_loop().call_soon(self.send_hci_packet, event)
        return hci.HCI_StatusReturnParameters(hci.HCI_ErrorCode.SUCCESS)

    def on_hci_le_add_device_to_filter_accept_list_command(self, command: Any) -> Any:
        """Linux connects to whom is on the list."""
        self._accept_list.add(command.address)
        return super().on_hci_le_add_device_to_filter_accept_list_command(command)

    def on_hci_le_remove_device_from_filter_accept_list_command(self, command: Any) -> Any:
        """See above."""
        self._accept_list.discard(command.address)
        return super().on_hci_le_remove_device_from_filter_accept_list_command(command)

    def on_hci_le_clear_filter_accept_list_command(self, command: Any) -> Any:
        """See above."""
        self._accept_list.clear()
        return super().on_hci_le_clear_filter_accept_list_command(command)
