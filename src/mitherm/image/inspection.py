"""Everything that can be said about a firmware file, as one value."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from mitherm.errors import BadFile
from mitherm.image.catalogue import Entry
from mitherm.image.container import ZigbeeContainer
from mitherm.image.recognise import Identity
from mitherm.image.signature import Signature
from mitherm.image.tail import EXPLOIT, Reason, Tail
from mitherm.image.telink import BLOCK, FLAG, STARTUP, Header, pad
from mitherm.model.family import Family
from mitherm.model.models import PRODUCTS


class FileKind(StrEnum):
    """What a file is (firmware-image.md 7)."""

    TELINK = "telink"
    """A plain image, with or without a tail."""
    ZIGBEE_CONTAINER = "zigbee-container"
    FULL_DUMP = "full-dump"
    """Somebody's whole flash, keys included."""
    SIGN_FILE = "sign-file"
    """A template for tails."""
    NOT_AN_IMAGE = "not-an-image"

    @property
    def sendable(self) -> bool:
        """Whether there is an image in it that goes over the air."""
        return self in (FileKind.TELINK, FileKind.ZIGBEE_CONTAINER)


class Provenance(StrEnum):
    """Who vouches for a file."""

    PUBLISHED = "known"
    """The catalogue has its SHA-256."""
    SYNTHETIC = "synthetic"
    """Made here, for virtual units."""
    UNKNOWN = "unknown"


_NOBODY: Final = Identity(Family.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Inspection:
    """Everything that can be said about a file. Hashes are lower-case hex."""

    kind: FileKind
    size: int
    sha256: str
    identity: Identity = _NOBODY
    length: int | None = None
    """Size field of the image; None without an image."""
    crc_ok: bool | None = None
    """Whether mark, size and CRC (and the lengths of a container) are right; None without an image."""
    problem: BadFile | None = None
    """What `verify` raises."""
    image_sha256: str | None = None
    header: Header | None = None
    entry: Entry | None = None
    """The file, or its image part, in the catalogue."""
    tail: Tail | None = None
    signature: Signature = Signature.NONE
    refusal: Reason | None = None
    """Why the tail proves nothing."""
    synthetic: bool = False
    """A synthetic image, or a tail under the synthetic root: for virtual units only."""
    container: ZigbeeContainer | None = None
    payload: bytes = b""
    """What goes over the air before padding: the file, or the image inside a container. Empty when not sendable."""
    warnings: tuple[str, ...] = ()

    @property
    def genuine(self) -> bool:
        """Whether its vendor signed it."""
        return self.signature is Signature.GENUINE

    @property
    def family(self) -> Family | None:
        """stock, pvvx, atc1441, zigbee, unknown; None without an image."""
        return self.identity.family if self.header else None

    @property
    def version(self) -> str | None:
        """Version as the firmware reports it, else as the catalogue says."""
        return self.identity.version or (self.entry.version if self.entry else None)

    @property
    def model(self) -> str | None:
        """Model by header, texts, catalogue or product id, in this order."""
        model = self.identity.model or (self.entry.model if self.entry else None)
        return model or (PRODUCTS.get(self.product_id) if self.product_id is not None else None)

    @property
    def product_id(self) -> int | None:
        """Product id in the tail."""
        return self.tail.product_id if self.tail else None

    @property
    def device_id(self) -> int | None:
        """pvvx: which build it is; 0x0A = LYWSD03MMC."""
        return self.identity.device_id

    @property
    def build(self) -> str:
        """Stock 2.1.1_0159: c or B1.6."""
        return self.identity.build

    @property
    def hardware(self) -> tuple[str, ...]:
        """Boards the catalogue names for this file."""
        return self.entry.hardware if self.entry else ()

    @property
    def provenance(self) -> Provenance:
        """Whether these bytes are published ones."""
        if self.entry:
            return Provenance.PUBLISHED
        return Provenance.SYNTHETIC if self.synthetic else Provenance.UNKNOWN

    @property
    def exploit(self) -> bool:
        """A tail that breaks the check of 2.1.1_0159, build c, instead of passing it."""
        return self.tail is not None and self.refusal == "overlong" and EXPLOIT in self.tail.signature

    @property
    def flag_ok(self) -> bool:
        """Whether bytes 6 and 7 announce the CRC trailer."""
        return self.header is not None and self.header.flag == FLAG

    @property
    def startup_ok(self) -> bool:
        """Whether the start-up code is that of thermometer images."""
        return self.header is not None and self.header.startup == STARTUP

    @property
    def padded_length(self) -> int:
        """Bytes that are sent and stored: payload with tail, padded."""
        return len(pad(self.payload))

    @property
    def blocks(self) -> int:
        """16-byte blocks of the transfer."""
        return self.padded_length // BLOCK

    @property
    def stray_length(self) -> int:
        """Bytes behind the image that are no Mi tail."""
        if self.tail or self.length is None:
            return 0
        return max(0, len(self.payload) - self.length)
