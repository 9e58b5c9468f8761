"""All rules, one per hazard of product-needs.md 6, in the order in which they are judged."""

from __future__ import annotations

from typing import Final

from mitherm.errors import ImageForOtherModel, ImageTooLarge
from mitherm.ops.guards import boards, images, records, unit
from mitherm.ops.guards.rule import Action, Rule

_FLASH: Final[frozenset[Action]] = frozenset({"flash"})
_ANY: Final[frozenset[Action]] = frozenset({"flash", "activate", "erase", "configure", "pin"})
_ALWAYS: Final[frozenset[Action]] = _ANY | {"wire"}

RULES: Final[tuple[Rule, ...]] = (
    Rule(
        "H16",
        "The unit is the one that was chosen",
        "The unit tells its address (advert, pvvx command 10), and every telling equals the address that was named.",
        _ANY,
        "--allow-other-address",
        unit.same_unit,
    ),
    Rule(
        "SYN",
        "Synthetic images stay with virtual units",
        "A synthetic image, or a signature made with the synthetic root, goes to virtual units only.",
        _FLASH,
        None,
        images.synthetic,
    ),
    Rule(
        "H17",
        "The image is sound",
        "A Telink image (or one in a Zigbee container) whose boot mark, length and check sum are right.",
        _FLASH,
        None,
        images.sound,
    ),
    Rule(
        "H1",
        "The image is for this model",
        "Device id, catalogue or texts of the image name the model that the unit reports.",
        _FLASH,
        "--allow-other-model",
        images.right_family,
        ImageForOtherModel,
    ),
    Rule(
        "H2",
        "The image fits",
        "Image, tail and padding fit the bank of the running firmware, or the area it clears for an extended update.",
        _FLASH,
        None,
        images.fits,
        ImageTooLarge,
    ),
    Rule(
        "H3",
        "Not a combination that is known to kill",
        "The table of known-bad combinations has no row for this image on this unit under the running firmware.",
        _FLASH,
        "--allow-known-bad",
        images.not_known_bad,
    ),
    Rule(
        "H11",
        "Nothing is erased that was not given up",
        "Zigbee firmware and extended updates erase measurements and Mi data: that must be acknowledged.",
        _FLASH,
        "--erase-mi-data",
        images.zigbee,
    ),
    Rule(
        "H6",
        "The running firmware is known and will accept the image",
        "Stock 2.1.1_0159 gets signed images only, everything else none with a forged tail.",
        _FLASH,
        "--allow-unknown-version",
        unit.accepted,
    ),
    Rule(
        "H4",
        "The battery outlasts a relocation",
        f"Before an extended update at least {unit.RELOCATION_MV} mV while connected.",
        _FLASH,
        None,
        unit.relocation,
    ),
    Rule(
        "F4",
        "The display works with this image",
        "The board revision is known, plausible, and its display works with the image.",
        _FLASH,
        "--allow-blank-display",
        boards.display_works,
    ),
    Rule(
        "H7",
        "There is a way back",
        "Stock 2.x only onto units whose token is in the vault; a bind key opens nothing.",
        _FLASH,
        "--allow-one-way",
        unit.way_back,
    ),
    Rule(
        "H20",
        "The image is one that somebody knows",
        "The SHA-256 of the image is in the catalogue of published files.",
        _FLASH,
        "--allow-unknown-image",
        images.known_image,
    ),
    Rule(
        "H5",
        "The battery is strong enough",
        f"At least {unit.MINIMUM_MV} mV (or {unit.MINIMUM_PCT} %) while connected; below {unit.BROWN_OUT_MV} mV no switch helps.",
        _FLASH,
        "--allow-low-battery",
        unit.battery,
    ),
    Rule(
        "H8",
        "The vendor's app did not change the firmware unseen",
        "Informs: compares the version with the one last seen. Decline updates in Mi Home.",
        _FLASH,
        None,
        unit.vendor_update,
    ),
    Rule(
        "H9",
        "No keys in use are replaced",
        "A bound unit is not registered anew.",
        frozenset({"activate"}),
        "--replace-keys",
        records.keys_not_replaced,
    ),
    Rule(
        "H10",
        "Keys are saved before anything can lose them",
        "The Mi records a unit shows are in the vault, read back from disk.",
        frozenset({"flash", "erase"}),
        "--allow-unsaved-keys",
        records.records_saved,
    ),
    Rule(
        "H12",
        "A PIN is recorded before it is set",
        "The PIN lies in the user's records first.",
        frozenset({"pin"}),
        None,
        records.pin_recorded,
    ),
    Rule(
        "H13",
        "A dump precedes every change by wire",
        "The whole flash is on disk before anything is erased or written.",
        frozenset({"wire"}),
        "--allow-no-dump",
        records.dumped,
    ),
    Rule(
        "H14",
        "The unit stays in reach",
        "No long range, silenced radio or extreme interval unless it is wanted.",
        frozenset({"configure"}),
        "--allow-out-of-reach",
        records.stays_in_reach,
    ),
    Rule(
        "H15",
        "Settings of the display are for this board",
        "The board is known before display settings are written, and no other hardware is claimed.",
        frozenset({"configure"}),
        "--allow-unknown-board",
        records.own_hardware,
    ),
    Rule(
        "H18",
        "An interruption does no harm",
        "Informs: nothing is bootable until the last packet.",
        _FLASH,
        None,
        records.interruption,
    ),
    Rule("H19", "No secret leaks", "Informs: keys are masked everywhere.", _ALWAYS, None, records.secrets_masked),
)
"""In the order in which they are judged."""
