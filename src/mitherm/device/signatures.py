"""Stock firmware that checks signatures: 2.1.1_0159 in its builds, and the road for those that cannot be tricked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from mitherm.device.observation import Observation
from mitherm.image.inspection import Inspection
from mitherm.model.family import Family
from mitherm.model.models import LYWSD03MMC, PRODUCTS

SIGNED_STOCK: Final = "2.1.1_0159"
FOUR_STEPS: Final = (
    "Builds of 2.1.1_0159 differ under one number. The road for all of them: the genuine signed 2.1.1_0159 first, wait, "
    "log in again with the same token, then the custom image. Put the genuine image into the library "
    "(mitherm firmware add FILE) and say `bring` again: it then goes that way"
)


def needs_account(seen: Observation) -> bool:
    """Whether the running stock takes its keys from the vendor's account only (generation 2)."""
    return seen.family is Family.STOCK and (seen.mi_generation == 2 or needs_signature_version(seen.version or ""))


def needs_signature(seen: Observation) -> bool:
    """Whether the running stock checks signatures: 2.1.1_0159 of the LYWSD03MMC alone (telink-ota.md 8)."""
    return needs_account(seen) and seen.identity.model in (None, LYWSD03MMC)


def needs_signature_version(version: str) -> bool:
    """Whether stock of this version is of the line that wants account keys and signed images."""
    return version.startswith("2.")


_REASONS: Final[Mapping[str | None, str]] = {
    "tag": "its signature tail is damaged",
    "overlong": "its tail fits another build of this version",
    "certificate": "its certificates lead to no root that the unit knows",
    "signature": "the signature is not of this image",
    None: "its signature looks right from here, so it may have been damaged on the way",
}


def refused_because(image: Inspection, seen: Observation) -> str:
    """What the image lacks, as a unit that checks signatures sees it."""
    tail = image.tail
    if tail is None:
        return "it has no signature tail"
    if PRODUCTS.get(tail.product_id) != seen.identity.model:
        return f"its signature tail is for product {tail.product_id:#06x}"
    return _REASONS.get(image.refusal, "its signature tail proves nothing")
