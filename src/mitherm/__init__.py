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
    from mitherm.image.inspect import inspect as inspect_image
    from mitherm.image.inspection import Inspection
    from mitherm.model.address import Address
    from mitherm.model.keys import MiKeys
    from mitherm.model.reading import Reading, Undecoded
    from mitherm.model.record import KeyGeneration
    from mitherm.model.report import Report
    from mitherm.model.sighting import Sighting
    from mitherm.ops.bench import Bench, Stores
    from mitherm.ops.hearing.listen import listen
    from mitherm.ops.hearing.scan import ScannedUnit, scan, watch
    from mitherm.ops.info import info
    from mitherm.ops.keys.activate import activate
    from mitherm.ops.keys.login import login_with_token, login_with_vault
    from mitherm.ops.updating.flash import bring, flash
    from mitherm.primitives.secret import Secret
    from mitherm.radio.driver import run
    from mitherm.radio.gatt import Radio
    from mitherm.radio.link import Link
    from mitherm.store.vault import Vault
    from mitherm.wiring.bench import open_bench
    from mitherm.wiring.loops import run_program

__version__ = "0.1.0"

_HOMES: Final = {
    "Address": "model.address",
    "BeaconKey": "beacon.keys",
    "Bench": "ops.bench",
    "GuardRefused": "errors",
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
    "Sighting": "model.sighting",
    "Stores": "ops.bench",
    "Unavailable": "errors",
    "Undecoded": "model.reading",
    "Vault": "store.vault",
    "activate": "ops.keys.activate",
    "bring": "ops.updating.flash",
    "decode": "beacon.decode",
    "flash": "ops.updating.flash",
    "info": "ops.info",
    "inspect_image": "image.inspect:inspect",
    "listen": "ops.hearing.listen",
    "login_with_token": "ops.keys.login",
    "login_with_vault": "ops.keys.login",
    "open_bench": "wiring.bench",
    "run": "radio.driver",
    "run_program": "wiring.loops",
    "scan": "ops.hearing.scan",
    "watch": "ops.hearing.scan",
}
"""Public name -> module, and the name there where it differs."""

__all__ = [
    "Address",
    "BeaconKey",
    "Bench",
    "GuardRefused",
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
    "Sighting",
    "Stores",
    "Unavailable",
    "Undecoded",
    "Vault",
    "__version__",
    "activate",
    "bring",
    "decode",
    "flash",
    "info",
    "inspect_image",
    "listen",
    "login_with_token",
    "login_with_vault",
    "open_bench",
    "run",
    "run_program",
    "scan",
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
