"""Every error mitherm raises, in one tree.

    MithermError                     message, hint, device state, exit code
    ├─ UsageProblem            2     SettingsError, NotSupported, BadFile (NotAnImage, ImageCorrupt)
    ├─ NotFound                3     DeviceNotFound, FileMissing, ImageMissing
    ├─ GuardRefused            4     ImageForOtherModel, ImageTooLarge
    ├─ KeyProblem              5     KeysMissing, KeysMismatch, MiAuthRefused, MiHomeRefused, CloudError
    ├─ Unavailable             6     RadioUnavailable, BrokerUnreachable, NetworkUnreachable, Busy
    ├─ LinkError               1     LinkTimeout, LinkLost, CharacteristicMissing, AttRefused
    ├─ ProtocolError           1     DecodeError, PeerMisbehaved
    ├─ StoreError              1     VaultProblem, DiskProblem, SchemaTooNew
    ├─ TransferFailed          1
    ├─ SomeFailed              7
    └─ NotVerified             8

The exit code belongs to the class (cli-contract.md); the command line only reads it. `device` says what became of the
unit: "unchanged", "changed" or "unknown". Messages never contain secrets.
"""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar, Literal

DeviceState = Literal["unchanged", "changed", "unknown"]


class MithermError(Exception):
    """Root of all errors.

    `hint` says what to do next; `device` what state the unit is in; `rule` and `waiver` are set by guards; `result` is
    what there is to report all the same, as the value that the operation would have returned, or part of it.
    """

    exit_code: ClassVar[int] = 1
    default_hint: ClassVar[str | None] = None

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        device: DeviceState = "unchanged",
        rule: str | None = None,
        waiver: str | None = None,
        result: object = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint if hint is not None else self.default_hint
        self.device: DeviceState = device
        self.rule = rule
        self.waiver = waiver
        self.result = result

    @property
    def kind(self) -> str:
        """Stable name for scripts: the class name."""
        return type(self).__name__


# --- 2: usage ---------------------------------------------------------------------------------------------------------


class UsageProblem(MithermError):
    """A bad option, value, file or question that nobody could answer."""

    exit_code = 2


class SettingsError(UsageProblem):
    """A setting out of range, or a configuration file with an unknown key."""


class NotSupported(UsageProblem):
    """This model or firmware cannot do what was asked."""


class BadFile(UsageProblem):
    """A file that is not what it should be."""


class NotAnImage(BadFile):
    """The file is no Telink image, container or sign file."""


class ImageCorrupt(BadFile):
    """The file is an image, but truncated or damaged (length, CRC, container lengths)."""


class AnswerNeeded(UsageProblem):
    """A question had to be asked, but there is no terminal and no --yes."""


# --- 3: not found -----------------------------------------------------------------------------------------------------


class NotFound(MithermError):
    """A unit, port or file that does not exist."""

    exit_code = 3


class DeviceNotFound(NotFound):
    """No unit with this address or name was seen."""

    default_hint = "Is the unit powered and near? `mitherm scan` lists what can be seen."


class FileMissing(NotFound):
    """A file or folder that was named does not exist."""


class ImageMissing(NotFound):
    """A plan needs an image that neither --image nor the library provides."""


# --- 4: guards --------------------------------------------------------------------------------------------------------


class GuardRefused(MithermError):
    """A safety rule refused before anything was written. `rule` names it, `waiver` the one switch that lifts it."""

    exit_code = 4


class ImageForOtherModel(GuardRefused):
    """Rule H1: the image belongs to another family of devices."""


class ImageTooLarge(GuardRefused):
    """Rule H2: the image does not fit the bank of the running firmware."""


# --- 5: keys ----------------------------------------------------------------------------------------------------------


class KeyProblem(MithermError):
    """Keys are missing or wrong, or authentication was refused."""

    exit_code = 5


class KeysMissing(KeyProblem):
    """No token or bind key is known for this unit."""


class KeysMismatch(KeyProblem):
    """The unit proved that it holds another token or key."""


class MiAuthRefused(KeyProblem):
    """The unit answered a registration or login with a refusal; `code` is the control-point value."""

    def __init__(self, message: str, *, code: int, hint: str | None = None, device: DeviceState = "unchanged") -> None:
        super().__init__(message, hint=hint, device=device)
        self.code = code


class MiHomeRefused(KeyProblem):
    """The (virtual) Mi Home app ended with an error code such as -29."""

    def __init__(self, message: str, *, mi_home_code: int | None, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.mi_home_code = mi_home_code


class PinRequired(KeyProblem):
    """The unit demands pairing with its PIN."""


class CloudError(KeyProblem):
    """The account service refused or could not be understood."""


# --- 6: no adapter, port, broker --------------------------------------------------------------------------------------


class Unavailable(MithermError):
    """Something this computer should provide is not usable."""

    exit_code = 6


class RadioUnavailable(Unavailable):
    """No usable Bluetooth adapter; `reason` is off, denied, no-adapter, busy, no-service or unknown."""

    default_hint = (
        "To try everything without a radio: `mitherm virtual create DIR` and then `mitherm --radio virtual:DIR scan`."
    )

    def __init__(self, message: str, *, reason: str = "unknown", hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.reason = reason


class Busy(Unavailable):
    """Another process owns the folder, adapter or port."""


class BrokerUnreachable(Unavailable):
    """The MQTT broker (or another sink) cannot be reached or refused the login."""


class NetworkUnreachable(Unavailable):
    """A server on the internet cannot be reached, or has trouble of its own."""

    default_hint = "Is this computer online? Try again later."


class NetworkTimeout(NetworkUnreachable, TimeoutError):
    """A server did not answer in time."""


# --- 1: the operation failed ------------------------------------------------------------------------------------------


class LinkError(MithermError):
    """Something went wrong on the connection."""


class LinkTimeout(LinkError, TimeoutError):
    """No answer in time."""


class LinkLost(LinkError):
    """The connection ended before the conversation did; `reason` is the HCI code where known (0x13, 0x08)."""

    def __init__(
        self, message: str = "the connection was lost", *, reason: int | None = None, hint: str | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.reason = reason


class CharacteristicMissing(LinkError):
    """The unit does not offer a characteristic this conversation needs."""


class AttRefused(LinkError):
    """The unit refused a read or write with an ATT error code."""

    def __init__(self, message: str, *, code: int) -> None:
        super().__init__(message)
        self.code = code


class ProtocolError(MithermError):
    """The conversation did not follow the protocol."""


class DecodeError(ProtocolError):
    """Bytes that cannot be a message of the expected kind."""


class PeerMisbehaved(ProtocolError):
    """The unit answered something the protocol does not allow here."""


class StoreError(MithermError):
    """The vault, the journal or another store failed."""


class VaultProblem(StoreError):
    """Keys could not be written, read back, or understood."""


class DiskProblem(StoreError):
    """A file could not be written: full, read-only, no permission."""


class SchemaTooNew(StoreError):
    """The file was written by a newer mitherm; it is left alone."""


class TransferFailed(MithermError):
    """An image did not get across; the running firmware is intact."""


class SomeFailed(MithermError):
    """Some of several units failed; `result` tells which."""

    exit_code = 7


class TransferResult(StrEnum):
    """What became of a unit that got a whole image and was not seen to run it."""

    OLD_FIRMWARE = "old-firmware"
    OTHER_FIRMWARE = "other-firmware"
    DARK = "dark"
    """It was not heard again."""
    UNREADABLE = "unreadable"
    """It advertises, and no connection tells what runs."""
    SAME_VERSION = "same-version"
    """Old and new firmware look alike, so nothing tells which one runs."""


class NotVerified(MithermError):
    """Written, but the unit was not seen doing what was promised. `transfer`: what it does instead, after one."""

    exit_code = 8

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        transfer: TransferResult | None = None,
        result: object = None,
    ) -> None:
        super().__init__(message, hint=hint, device="unknown", result=result)
        self.transfer = transfer
