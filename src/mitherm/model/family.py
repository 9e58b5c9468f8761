"""Kinds of firmware, and the formats in which they advertise: the words of JSON and files, with what is asked of them."""

from __future__ import annotations

from enum import StrEnum


class Family(StrEnum):
    """Which firmware a unit runs or an image holds (custom-firmware.md 1, firmware-image.md 7)."""

    STOCK = "stock"
    """Xiaomi's, for the models that pvvx knows."""
    PVVX = "pvvx"
    ATC1441 = "atc1441"
    ZIGBEE = "zigbee"
    """Of an image: any Zigbee firmware."""
    ZBDEVICE = "zbdevice"
    """Of a unit: pvvx' Zigbee firmware, by its Bluetooth face. Zigbee firmware without one is not on the air."""
    PHY62X2 = "phy62x2"
    """Another chip, for which no Telink image is made."""
    OTHER = "other"
    """Recognised, and none that mitherm changes."""
    UNKNOWN = "unknown"

    @classmethod
    def of(cls, word: str | None) -> Family:
        """The family of this name; UNKNOWN for every other word."""
        return next((family for family in cls if family == word), cls.UNKNOWN)

    @property
    def custom(self) -> bool:
        """Whether it is the open firmware for units on Bluetooth."""
        return self in (Family.PVVX, Family.ATC1441)

    @property
    def updatable(self) -> bool:
        """Whether a unit that runs it takes a Telink update over Bluetooth: what plans start from and lead to."""
        return self is Family.STOCK or self.custom

    @property
    def strange(self) -> bool:
        """Whether no unit that mitherm knows runs it: what a stale service table looks like."""
        return self in (Family.OTHER, Family.UNKNOWN)

    @property
    def shown(self) -> str:
        """The word that the command line prints (virtual-unit.md 9)."""
        match self:
            case Family.ZBDEVICE:
                return Family.ZIGBEE
            case Family.PHY62X2 | Family.OTHER:
                return Family.UNKNOWN
            case _:
                return self


class BeaconFormat(StrEnum):
    """How a frame holds its values (beacons.md 9)."""

    ATC1441 = "atc1441"
    PVVX = "pvvx"
    ATC1441_ENC = "atc1441-enc"
    PVVX_ENC = "pvvx-enc"
    PVVX_EVENT = "pvvx-event"
    MIBEACON = "mibeacon"
    BTHOME1 = "bthome1"
    BTHOME2 = "bthome2"
    QINGPING = "qingping"

    @property
    def custom(self) -> bool:
        """Whether custom firmware alone sends it. pvvx can be set to send MiBeacon too, so its absence proves nothing."""
        return self not in (BeaconFormat.MIBEACON, BeaconFormat.QINGPING)

    @property
    def only_pvvx(self) -> bool:
        """Whether pvvx alone sends it: `atc1441` comes from both custom firmwares."""
        return self.custom and self is not BeaconFormat.ATC1441

    @property
    def family(self) -> Family:
        """The likeliest sender, where nothing but the format is known."""
        if self.only_pvvx:
            return Family.PVVX
        return _SENDERS.get(self, Family.UNKNOWN)

    @property
    def encrypted(self) -> bool:
        """Whether every frame of it is encrypted; of MiBeacon and BTHome some are, which each frame tells."""
        return self in (BeaconFormat.ATC1441_ENC, BeaconFormat.PVVX_ENC)

    @property
    def pvvx_layout(self) -> bool:
        """Whether it is pvvx' own format, plain or encrypted."""
        return self in (BeaconFormat.PVVX, BeaconFormat.PVVX_ENC)

    @property
    def bthome(self) -> bool:
        """Whether Home Assistant reads it without an integration made for custom firmware."""
        return self in (BeaconFormat.BTHOME1, BeaconFormat.BTHOME2)

    @property
    def environmental(self) -> bool:
        """Whether it goes under 0x181A, which Home Assistant's own BTHome integration does not read."""
        return self.custom and not self.bthome and self is not BeaconFormat.PVVX_EVENT


_SENDERS = {BeaconFormat.MIBEACON: Family.STOCK, BeaconFormat.ATC1441: Family.ATC1441}
