"""mitherm: the whole life of Xiaomi LYWSD03MMC thermometers, from Python.

Everything named here is public and stays. The names are imported when first used, so `import mitherm` costs nothing.
Errors are in `mitherm.errors`; every one is a `MithermError`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from mitherm.beacon.decode import decode
    from mitherm.beacon.keys import BeaconKey
    from mitherm.errors import GuardRefused, KeyProblem, LinkError, MithermError, NotVerified, Unavailable
    from mitherm.image.catalogue import Catalogue
    from mitherm.image.inspect import inspect as inspect_image
    from mitherm.image.inspect import verify as verify_image
    from mitherm.image.inspection import Inspection
    from mitherm.image.signature import Signature
    from mitherm.model.address import Address
    from mitherm.model.keys import MiKeys
    from mitherm.model.reading import Reading, Undecoded
    from mitherm.model.record import KeyGeneration
    from mitherm.model.report import Report
    from mitherm.model.sighting import Sighting
    from mitherm.ops.bench import Bench, Stores
    from mitherm.ops.files.catalogue_file import read_catalogue
    from mitherm.ops.files.fetch import fetch as fetch_file
    from mitherm.ops.files.firmware import add_files, inspect_file, published_files, synthesise, verify_file
    from mitherm.ops.files.images import SelectedImage
    from mitherm.ops.files.library import ImageSource
    from mitherm.ops.hearing.listen import listen
    from mitherm.ops.hearing.scan import ScannedUnit, scan, watch
    from mitherm.ops.info import info
    from mitherm.ops.keys.activate import activate
    from mitherm.ops.keys.login import login_with_token, login_with_vault
    from mitherm.ops.updating.flash import bring, flash
    from mitherm.ops.updating.paths import UpdatePath, update_paths
    from mitherm.primitives.secret import Secret
    from mitherm.radio.driver import run
    from mitherm.radio.gatt import Radio
    from mitherm.radio.link import Link
    from mitherm.store.vault import Vault
    from mitherm.wiring.bench import open_bench, open_images
    from mitherm.wiring.loops import run_program

__version__ = "0.1.0"

_HOMES: Final = {
    "Address": "model.address",
    "BeaconKey": "beacon.keys",
    "Bench": "ops.bench",
    "Catalogue": "image.catalogue",
    "GuardRefused": "errors",
    "ImageSource": "ops.files.library",
    "Inspection": "image.inspection",
    "KeyGeneration": "model.record",
    "KeyProblem": "errors",
    "Link": "radio.link",
    "LinkError": "errors",
    "MiKeys": "model.keys",
    "MithermError": "errors",
    "NotVerified": "errors",
    "Radio": "radio.gatt",
    "Reading": "model.reading",
    "Report": "model.report",
    "ScannedUnit": "ops.hearing.scan",
    "Secret": "primitives.secret",
    "SelectedImage": "ops.files.images",
    "Sighting": "model.sighting",
    "Signature": "image.signature",
    "Stores": "ops.bench",
    "Unavailable": "errors",
    "Undecoded": "model.reading",
    "UpdatePath": "ops.updating.paths",
    "Vault": "store.vault",
    "activate": "ops.keys.activate",
    "add_files": "ops.files.firmware",
    "bring": "ops.updating.flash",
    "decode": "beacon.decode",
    "fetch_file": "ops.files.fetch:fetch",
    "flash": "ops.updating.flash",
    "info": "ops.info",
    "inspect_file": "ops.files.firmware",
    "inspect_image": "image.inspect:inspect",
    "listen": "ops.hearing.listen",
    "login_with_token": "ops.keys.login",
    "login_with_vault": "ops.keys.login",
    "open_bench": "wiring.bench",
    "open_images": "wiring.bench",
    "published_files": "ops.files.firmware",
    "read_catalogue": "ops.files.catalogue_file",
    "run": "radio.driver",
    "run_program": "wiring.loops",
    "scan": "ops.hearing.scan",
    "synthesise": "ops.files.firmware",
    "update_paths": "ops.updating.paths",
    "verify_file": "ops.files.firmware",
    "verify_image": "image.inspect:verify",
    "watch": "ops.hearing.scan",
}
"""Public name -> module, and the name there where it differs."""

__all__ = [
    "Address",
    "BeaconKey",
    "Bench",
    "Catalogue",
    "GuardRefused",
    "ImageSource",
    "Inspection",
    "KeyGeneration",
    "KeyProblem",
    "Link",
    "LinkError",
    "MiKeys",
    "MithermError",
    "NotVerified",
    "Radio",
    "Reading",
    "Report",
    "ScannedUnit",
    "Secret",
    "SelectedImage",
    "Sighting",
    "Signature",
    "Stores",
    "Unavailable",
    "Undecoded",
    "UpdatePath",
    "Vault",
    "__version__",
    "activate",
    "add_files",
    "bring",
    "decode",
    "fetch_file",
    "flash",
    "info",
    "inspect_file",
    "inspect_image",
    "listen",
    "login_with_token",
    "login_with_vault",
    "open_bench",
    "open_images",
    "published_files",
    "read_catalogue",
    "run",
    "run_program",
    "scan",
    "synthesise",
    "update_paths",
    "verify_file",
    "verify_image",
    "watch",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, _, attribute = _HOMES[name].partition(":")
    value = getattr(import_module(f"{__name__}.{module}"), attribute or name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
