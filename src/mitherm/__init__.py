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
    from mitherm.model.family import Family
    from mitherm.model.history import HourRecord, MeanRecord
    from mitherm.model.keys import MiKeys
    from mitherm.model.operation import Outcome
    from mitherm.model.reading import DecodeFailure, Reading
    from mitherm.model.record import KeyGeneration
    from mitherm.model.report import Report
    from mitherm.model.sighting import Sighting
    from mitherm.model.unit_state import UnitState
    from mitherm.ops.bench import Bench, Rehearsal, Stores
    from mitherm.ops.doctor.examine import Examination, doctor
    from mitherm.ops.doctor.finding import Finding
    from mitherm.ops.files.catalogue_file import read_catalogue
    from mitherm.ops.files.fetch import fetch as fetch_file
    from mitherm.ops.files.firmware import add_files, inspect_file, published_files, synthesise, verify_file
    from mitherm.ops.files.images import SelectedImage
    from mitherm.ops.files.library import ImageSource
    from mitherm.ops.gateway.config import MonitorConfig
    from mitherm.ops.gateway.sinks import monitor
    from mitherm.ops.hearing.listen import listen
    from mitherm.ops.hearing.scan import ScannedUnit, scan, watch
    from mitherm.ops.info import UnitInfo, info
    from mitherm.ops.keys.activate import activate
    from mitherm.ops.keys.import_export import (
        ExportedKeys,
        KeyImport,
        add_keys,
        export_keys,
        import_keys,
        list_keys,
        show_keys,
    )
    from mitherm.ops.keys.login import login_with_token, login_with_vault
    from mitherm.ops.keys.proof import KeyTest, check_keys
    from mitherm.ops.keys.unit_keys import backup as backup_keys
    from mitherm.ops.keys.unit_keys import erase as erase_keys
    from mitherm.ops.keys.unit_keys import restore as restore_keys
    from mitherm.ops.keys.unit_keys import swap as swap_keys
    from mitherm.ops.known import journal, known_units, name_unit
    from mitherm.ops.target import resolve
    from mitherm.ops.updating.execute import UpdateResult
    from mitherm.ops.updating.flash import bring, flash
    from mitherm.ops.updating.paths import UpdatePath, update_paths
    from mitherm.ops.upkeep.clock import Clock, ClockChange, read_clock, set_clock
    from mitherm.ops.upkeep.config import Change, SettingsChange
    from mitherm.ops.upkeep.config import change as change_config
    from mitherm.ops.upkeep.config import compare as compare_config
    from mitherm.ops.upkeep.config import read as read_config
    from mitherm.ops.upkeep.config_backup import ConfigBackup
    from mitherm.ops.upkeep.config_backup import backup as backup_config
    from mitherm.ops.upkeep.config_backup import reset as reset_config
    from mitherm.ops.upkeep.config_backup import saved as saved_config
    from mitherm.ops.upkeep.history import History
    from mitherm.ops.upkeep.history import clear as clear_history
    from mitherm.ops.upkeep.history import fetch as fetch_history
    from mitherm.primitives.secret import Secret
    from mitherm.protocol.events import Event, Notice, Progress, StepEnd, StepStart
    from mitherm.protocol.pvvx.settings import Setting, Settings
    from mitherm.publish.sink import Sink
    from mitherm.radio.driver import run
    from mitherm.radio.gatt import Radio
    from mitherm.radio.link import Link
    from mitherm.store.inventory import KnownUnit
    from mitherm.store.journal import Run as JournalEntry
    from mitherm.store.profile import profile_text, read_profile
    from mitherm.store.vault import Vault
    from mitherm.wiring.account import fetch_keys
    from mitherm.wiring.bench import open_bench, open_images, open_stores
    from mitherm.wiring.loops import run_program
    from mitherm.wiring.virtual_units import VirtualUnits, read_fleet

__version__ = "0.1.0"

_HOMES: Final = {
    "Address": "model.address",
    "BeaconKey": "beacon.keys",
    "Bench": "ops.bench",
    "Catalogue": "image.catalogue",
    "Change": "ops.upkeep.config",
    "Clock": "ops.upkeep.clock",
    "ClockChange": "ops.upkeep.clock",
    "ConfigBackup": "ops.upkeep.config_backup",
    "DecodeFailure": "model.reading",
    "Event": "protocol.events",
    "Examination": "ops.doctor.examine",
    "ExportedKeys": "ops.keys.import_export",
    "Family": "model.family",
    "Finding": "ops.doctor.finding",
    "GuardRefused": "errors",
    "History": "ops.upkeep.history",
    "HourRecord": "model.history",
    "ImageSource": "ops.files.library",
    "Inspection": "image.inspection",
    "JournalEntry": "store.journal:Run",
    "KeyGeneration": "model.record",
    "KeyImport": "ops.keys.import_export",
    "KeyProblem": "errors",
    "KeyTest": "ops.keys.proof",
    "KnownUnit": "store.inventory",
    "Link": "radio.link",
    "LinkError": "errors",
    "MeanRecord": "model.history",
    "MiKeys": "model.keys",
    "MithermError": "errors",
    "MonitorConfig": "ops.gateway.config",
    "NotVerified": "errors",
    "Notice": "protocol.events",
    "Outcome": "model.operation",
    "Progress": "protocol.events",
    "Radio": "radio.gatt",
    "Reading": "model.reading",
    "Rehearsal": "ops.bench",
    "Report": "model.report",
    "ScannedUnit": "ops.hearing.scan",
    "Secret": "primitives.secret",
    "SelectedImage": "ops.files.images",
    "Setting": "protocol.pvvx.settings",
    "Settings": "protocol.pvvx.settings",
    "SettingsChange": "ops.upkeep.config",
    "Sighting": "model.sighting",
    "Signature": "image.signature",
    "Sink": "publish.sink",
    "StepEnd": "protocol.events",
    "StepStart": "protocol.events",
    "Stores": "ops.bench",
    "Unavailable": "errors",
    "UnitInfo": "ops.info",
    "UnitState": "model.unit_state",
    "UpdatePath": "ops.updating.paths",
    "UpdateResult": "ops.updating.execute",
    "Vault": "store.vault",
    "VirtualUnits": "wiring.virtual_units",
    "activate": "ops.keys.activate",
    "add_files": "ops.files.firmware",
    "add_keys": "ops.keys.import_export",
    "backup_config": "ops.upkeep.config_backup:backup",
    "backup_keys": "ops.keys.unit_keys:backup",
    "bring": "ops.updating.flash",
    "change_config": "ops.upkeep.config:change",
    "check_keys": "ops.keys.proof",
    "clear_history": "ops.upkeep.history:clear",
    "compare_config": "ops.upkeep.config:compare",
    "decode": "beacon.decode",
    "doctor": "ops.doctor.examine",
    "erase_keys": "ops.keys.unit_keys:erase",
    "export_keys": "ops.keys.import_export",
    "fetch_file": "ops.files.fetch:fetch",
    "fetch_history": "ops.upkeep.history:fetch",
    "fetch_keys": "wiring.account",
    "flash": "ops.updating.flash",
    "import_keys": "ops.keys.import_export",
    "info": "ops.info",
    "inspect_file": "ops.files.firmware",
    "inspect_image": "image.inspect:inspect",
    "journal": "ops.known",
    "known_units": "ops.known",
    "list_keys": "ops.keys.import_export",
    "listen": "ops.hearing.listen",
    "login_with_token": "ops.keys.login",
    "login_with_vault": "ops.keys.login",
    "monitor": "ops.gateway.sinks",
    "name_unit": "ops.known",
    "open_bench": "wiring.bench",
    "open_images": "wiring.bench",
    "open_stores": "wiring.bench",
    "profile_text": "store.profile",
    "published_files": "ops.files.firmware",
    "read_catalogue": "ops.files.catalogue_file",
    "read_clock": "ops.upkeep.clock",
    "read_config": "ops.upkeep.config:read",
    "read_fleet": "wiring.virtual_units",
    "read_profile": "store.profile",
    "reset_config": "ops.upkeep.config_backup:reset",
    "resolve": "ops.target",
    "restore_keys": "ops.keys.unit_keys:restore",
    "run": "radio.driver",
    "run_program": "wiring.loops",
    "saved_config": "ops.upkeep.config_backup:saved",
    "scan": "ops.hearing.scan",
    "set_clock": "ops.upkeep.clock",
    "show_keys": "ops.keys.import_export",
    "swap_keys": "ops.keys.unit_keys:swap",
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
    "Change",
    "Clock",
    "ClockChange",
    "ConfigBackup",
    "DecodeFailure",
    "Event",
    "Examination",
    "ExportedKeys",
    "Family",
    "Finding",
    "GuardRefused",
    "History",
    "HourRecord",
    "ImageSource",
    "Inspection",
    "JournalEntry",
    "KeyGeneration",
    "KeyImport",
    "KeyProblem",
    "KeyTest",
    "KnownUnit",
    "Link",
    "LinkError",
    "MeanRecord",
    "MiKeys",
    "MithermError",
    "MonitorConfig",
    "NotVerified",
    "Notice",
    "Outcome",
    "Progress",
    "Radio",
    "Reading",
    "Rehearsal",
    "Report",
    "ScannedUnit",
    "Secret",
    "SelectedImage",
    "Setting",
    "Settings",
    "SettingsChange",
    "Sighting",
    "Signature",
    "Sink",
    "StepEnd",
    "StepStart",
    "Stores",
    "Unavailable",
    "UnitInfo",
    "UnitState",
    "UpdatePath",
    "UpdateResult",
    "Vault",
    "VirtualUnits",
    "__version__",
    "activate",
    "add_files",
    "add_keys",
    "backup_config",
    "backup_keys",
    "bring",
    "change_config",
    "check_keys",
    "clear_history",
    "compare_config",
    "decode",
    "doctor",
    "erase_keys",
    "export_keys",
    "fetch_file",
    "fetch_history",
    "fetch_keys",
    "flash",
    "import_keys",
    "info",
    "inspect_file",
    "inspect_image",
    "journal",
    "known_units",
    "list_keys",
    "listen",
    "login_with_token",
    "login_with_vault",
    "monitor",
    "name_unit",
    "open_bench",
    "open_images",
    "open_stores",
    "profile_text",
    "published_files",
    "read_catalogue",
    "read_clock",
    "read_config",
    "read_fleet",
    "read_profile",
    "reset_config",
    "resolve",
    "restore_keys",
    "run",
    "run_program",
    "saved_config",
    "scan",
    "set_clock",
    "show_keys",
    "swap_keys",
    "synthesise",
    "update_paths",
    "verify_file",
    "verify_image",
    "watch",
]


if not TYPE_CHECKING:  # a checker would take every name for a public one

    def __getattr__(name: str) -> Any:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        module, _, attribute = _HOMES[name].partition(":")
        value = getattr(import_module(f"{__name__}.{module}"), attribute or name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted(__all__)
