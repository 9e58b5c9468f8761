"""From service data to a reading: the one door to all formats (beacons.md 1 and 9)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from mitherm.beacon import advert
from mitherm.beacon.bthome import decode_bthome1, decode_bthome1_encrypted, decode_bthome2
from mitherm.beacon.custom import decode_environment, decode_event_count, decode_event_flags
from mitherm.beacon.keys import BeaconKey
from mitherm.beacon.mibeacon import decode_mibeacon
from mitherm.beacon.qingping import decode_qingping
from mitherm.model.address import Address
from mitherm.model.family import BeaconFormat
from mitherm.model.reading import DecodeFailure, Reading

Decoder = Callable[[bytes, Address | None, BeaconKey | None], Reading | DecodeFailure]

DECODERS: Final[dict[int, Decoder]] = {
    advert.ENVIRONMENT: decode_environment,
    advert.MIBEACON: decode_mibeacon,
    advert.BTHOME2: decode_bthome2,
    advert.BTHOME1: decode_bthome1,
    advert.BTHOME1_ENCRYPTED: decode_bthome1_encrypted,
    advert.EVENT_FLAGS: decode_event_flags,
    advert.EVENT_COUNT: decode_event_count,
    advert.QINGPING: decode_qingping,
}
"""16-bit UUID of the service data to its decoder."""


def decode(
    uuid: int, service_data: bytes, address: Address | None = None, key: BeaconKey | None = None
) -> Reading | DecodeFailure:
    """Decode the service data of a 16-bit UUID. Never raises for what came over the air.

    `address` is the advertiser's, None where the system hides it; a MAC inside the frame goes before it.
    """
    decoder = DECODERS.get(uuid)
    return DecodeFailure("uuid") if decoder is None else decoder(service_data, address, key)


def decode_event(structures: Iterable[tuple[int, bytes]]) -> Reading | DecodeFailure:
    """The pvvx event pair of one advertisement, 0x2A56 and 0x2AEB, as one reading (beacons.md 4.4)."""
    reading = Reading(BeaconFormat.PVVX_EVENT, {})
    for uuid, data in structures:
        part = decode(uuid, data) if uuid in (advert.EVENT_FLAGS, advert.EVENT_COUNT) else DecodeFailure("uuid")
        if isinstance(part, DecodeFailure):
            return part
        reading.values |= part.values
    return reading if reading.values else DecodeFailure("truncated", BeaconFormat.PVVX_EVENT)
