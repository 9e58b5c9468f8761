"""Telling firmware kinds apart from what a connection shows (custom-firmware.md 1). Services first, then details."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Literal, TypeAlias

from mitherm.model import models
from mitherm.model.family import Family
from mitherm.model.models import Model
from mitherm.protocol import uuids

Confidence: TypeAlias = Literal["high", "medium", "low"]

CUS1_SERVICE: Final = "8edffff0-3d1b-9c37-4623-ad7265f14076"

_STOCK_VERSION: Final = re.compile(r"\d\.\d\.\d_\d{4}")
_SHORT_VERSION: Final = re.compile(r"\d{4}")
_PVVX_VERSION: Final = re.compile(r"V(\d+\.\d+)")
_HARDWARE: Final = re.compile(r"[A-Z]\d\.\d")
_PVVX_TEXT: Final = "github.com/pvvx"
_CONFIG_AT: Final = 2
_CONFIG_COMMAND: Final = 0x55
_HARDWARE_AT: Final = _CONFIG_AT + 9
_FIRST_WITH_HARDWARE: Final = 0x20
_FIRST_4_BIT_ID: Final = 0x36
_FIRST_8_BIT_ID: Final = 0x48
_DEVICE_ID_COMMAND: Final = 0x00


@dataclass(frozen=True, slots=True)
class Evidence:
    """What could be learned; a missing item was not available, which is not the same as empty."""

    services: tuple[str, ...] = ()
    """UUIDs of the primary services, in any order."""
    device_information: Mapping[str, bytes] = field(default_factory=dict)
    """128-bit UUID of a characteristic of service 180A to its value."""
    command_properties: frozenset[str] | None = None
    """Properties of 1F1F."""
    command_value: bytes | None = None
    """What reading 1F1F gave; None where that is refused."""
    device_id_reply: bytes | None = None
    """Answer to command 00."""
    advertised_name: str | None = None

    def text(self, char: str) -> str | None:
        """A string of service 180A without its trailing NUL; None where it is missing or empty."""
        raw = self.device_information.get(char, b"").rstrip(b"\0")
        return raw.decode("ascii", "backslashreplace") or None


@dataclass(frozen=True, slots=True)
class Identity:
    """The verdict on one unit, with the reasons for it."""

    family: Family
    version: str | None = None
    """1.0.0_0130, 0026 (MJWSD models), 5.8; None where it cannot be read."""
    model: str | None = None
    hardware: str | None = None
    """Board revision (B1.4); None where it is missing or not plausible."""
    hardware_string: str | None = None
    """2A27 as it was read."""
    hardware_id: int | None = None
    """pvvx: the id its firmware found (custom-firmware.md 4.2); 4 may be B1.6, B1.7 or B2.0."""
    vendor: str | None = None
    """xiaomi or qingping, of the firmware that runs; None for custom firmware."""
    generation: int | None = None
    """Stock: 1 can be activated without the vendor's cloud, 2 cannot."""
    boards: tuple[Model, ...] = ()
    """What is known about the model; more than one where it was redesigned and nothing tells which board this is."""
    test_build: bool = False
    """pvvx' build with the extra service FFE0."""
    confidence: Confidence = "high"
    evidence: tuple[str, ...] = ()


def identify(evidence: Evidence) -> Identity:
    """Judge. Never raises; what does not fit any rule is `other` or `unknown`."""
    return _with_hardware(_judge(evidence), evidence)


def _judge(evidence: Evidence) -> Identity:
    services = {service.lower() for service in evidence.services}
    if uuids.STOCK_SERVICE in services:
        return _stock(evidence, services)
    if uuids.CUSTOM_SERVICE in services:
        return _custom(evidence, services)
    if uuids.ZIGBEE_FACE in services:
        if uuids.OTA_SERVICE in services:
            return _named(Family.ZBDEVICE, "service FCD2 together with the Telink OTA service: pvvx' Zigbee firmware")
        return _named(Family.PHY62X2, "service FCD2 without Telink OTA: a PHY62x2 device, no Telink image fits")
    if uuids.QINGPING_SERVICE in services:
        return _qingping(evidence)
    if uuids.MI_SERVICE in services:
        identity = _named(Family.OTHER, "Xiaomi's service FE95 without the thermometers' service ebe0ccb0")
        return replace(identity, vendor="xiaomi", confidence="medium")
    return _by_name(evidence)


def _named(family: Family, reason: str) -> Identity:
    return Identity(family, evidence=(reason,))


def _by_name(evidence: Evidence) -> Identity:
    """No service of any known firmware: a name alone is never a verdict."""
    reasons: tuple[str, ...] = ("no service of a known firmware" if evidence.services else "no services could be read",)
    name = evidence.advertised_name
    if models.custom_name(name) or models.named(name) is not None:
        reasons += (f"the advertised name {name} is only a hint",)
    return Identity(Family.UNKNOWN, confidence="low", evidence=reasons)


# --- stock ------------------------------------------------------------------------------------------------------------


def _stock(evidence: Evidence, services: set[str]) -> Identity:
    reasons: tuple[str, ...] = ("service ebe0ccb0: firmware of Xiaomi",)
    model = evidence.text(uuids.MODEL_NUMBER) or evidence.advertised_name
    version = _stock_version(evidence, model)
    boards = models.candidates(model, version=version)
    confidence: Confidence = "high"
    if version is not None:
        reasons += (f"2A26 says {version}", *_board_reasons(boards))
        generation = models.generation(boards, version)
    else:
        text = evidence.text(uuids.FIRMWARE_REVISION)
        reasons += (f"2A26 is no version: {text!r}" if text else "2A26 was not readable", _line_reason(services))
        generation = 2 if uuids.BATTERY not in services else 1
        confidence = "medium"
    return Identity(
        Family.STOCK,
        version,
        model,
        boards=boards,
        vendor="xiaomi",
        generation=generation,
        confidence=confidence,
        evidence=reasons,
    )


def _stock_version(evidence: Evidence, model: str | None) -> str | None:
    """2A26 where it looks like a version; four digits count on the models that show no more."""
    text = evidence.text(uuids.FIRMWARE_REVISION)
    short = any(group.short_version for board in models.boards(model) for group in board.stock)
    fits = text is not None and (_STOCK_VERSION.fullmatch(text) or (short and _SHORT_VERSION.fullmatch(text)))
    return text if fits else None


def _board_reasons(boards: tuple[Model, ...]) -> tuple[str, ...]:
    if not boards or not boards[0].board:
        return ()
    return (f"the board is {' or '.join(board.label for board in boards)}",)


def _qingping(evidence: Evidence) -> Identity:
    """Stock of CGG1 and CGDK2; the name on the air tells the model, the texts inside name each other's."""
    text = evidence.text(uuids.FIRMWARE_REVISION)
    version = text if text is not None and _STOCK_VERSION.fullmatch(text) else None
    model = models.named(evidence.advertised_name) or evidence.text(uuids.MODEL_NUMBER)
    boards = models.candidates(model, version=version)
    reasons = ("the Qingping service is present", *_board_reasons(boards))
    return Identity(Family.OTHER, version, model, boards=boards, vendor="qingping", evidence=reasons)


def _line_reason(services: set[str]) -> str:
    if uuids.BATTERY not in services:
        return "no battery service: the line of 2.1.1_0159"
    if CUS1_SERVICE in services:
        return "battery service and second history: the line of 1.0.0_0130"
    return "battery service, no second history: the line of 1.0.0_0109"


# --- custom -----------------------------------------------------------------------------------------------------------


def _custom(evidence: Evidence, services: set[str]) -> Identity:
    reasons = _pvvx_reasons(evidence, services)
    if reasons:
        identity = _pvvx(evidence, ("service 1F10: custom firmware", *reasons))
        return replace(identity, test_build=uuids.PVVX_TEST in services)
    sure = evidence.command_properties is not None
    reason = "1F1F cannot be read" if sure else "the properties of 1F1F are not known"
    return Identity(
        Family.ATC1441,
        model=models.LYWSD03MMC,
        boards=models.boards(models.LYWSD03MMC),
        confidence="high" if sure else "medium",
        evidence=("service 1F10: custom firmware", f"{reason} and there is no device information"),
    )


def _pvvx_reasons(evidence: Evidence, services: set[str]) -> tuple[str, ...]:
    signs = {
        "1F1F can be read": "read" in (evidence.command_properties or ()) or bool(evidence.command_value),
        f"2A26 says {_PVVX_TEXT}": evidence.text(uuids.FIRMWARE_REVISION) == _PVVX_TEXT,
        "device information is present": uuids.DEVICE_INFORMATION in services,
        "service FFE0: a test build": uuids.PVVX_TEST in services,
    }
    return tuple(reason for reason, holds in signs.items() if holds)


def _pvvx(evidence: Evidence, reasons: tuple[str, ...]) -> Identity:
    version, source = _pvvx_version(evidence)
    hardware_id = _hardware_id(evidence)
    row, model = models.of_hardware(hardware_id), evidence.text(uuids.MODEL_NUMBER)
    if model is None and row is not None:
        model, reasons = row.name, (*reasons, f"hardware id {hardware_id}: {row.label}")
    boards = models.candidates(model, hardware_id=hardware_id)
    return Identity(
        Family.PVVX,
        version,
        model,
        boards=boards,
        hardware_id=hardware_id,
        confidence="high" if version is not None else "medium",
        evidence=(
            *reasons,
            f"{source} says {version}" if version else "no version was readable",
            *_board_reasons(boards),
        ),
    )


def _pvvx_version(evidence: Evidence) -> tuple[str | None, str]:
    """The version, and where it was found: value of 1F1F, answer to command 00, 2A28."""
    value, reply = evidence.command_value or b"", evidence.device_id_reply or b""
    if len(value) > 1 and value[0] == _CONFIG_COMMAND:
        return _bcd(value[1]), "1F1F"
    if len(reply) >= 6 and reply[0] == _DEVICE_ID_COMMAND:
        return _bcd(reply[4]), "command 00"
    match = _PVVX_VERSION.fullmatch(evidence.text(uuids.SOFTWARE_REVISION) or "")
    return (match[1] if match else None), "2A28"


def _bcd(byte: int) -> str:
    return f"{byte >> 4}.{byte & 0x0F}"


def _hardware_id(evidence: Evidence) -> int | None:
    """From the answer to command 00, else from the hardware byte of the configuration (custom-firmware.md 5.2)."""
    reply, value = evidence.device_id_reply or b"", evidence.command_value or b""
    if len(reply) >= 4 and reply[0] == _DEVICE_ID_COMMAND:
        return int.from_bytes(reply[2:4], "little")
    if len(value) <= _HARDWARE_AT or value[0] != _CONFIG_COMMAND or value[1] < _FIRST_WITH_HARDWARE:
        return None
    if value[1] >= _FIRST_8_BIT_ID:
        return value[_HARDWARE_AT]
    return value[_HARDWARE_AT] & (0x0F if value[1] >= _FIRST_4_BIT_ID else 0x07)


# --- board ------------------------------------------------------------------------------------------------------------


def _with_hardware(identity: Identity, evidence: Evidence) -> Identity:
    text = evidence.text(uuids.HARDWARE_REVISION)
    if text is None:
        return identity
    if _HARDWARE.fullmatch(text):
        return replace(identity, hardware=text, hardware_string=text)
    reason = f"2A27 is not a board revision: {text!r}"
    return replace(identity, hardware_string=text, evidence=(*identity.evidence, reason))
