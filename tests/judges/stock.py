"""Judges of stock and atc1441 behaviour: fw-atc1441, fw-flash-states, fw-identify, mi-auth-gatt."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import replace
from typing import Any

from mitherm.device.identify import Evidence, identify
from mitherm.model.family import Family
from mitherm.model.gatt import Characteristic, GattTable, Service
from mitherm.model.keys import did_text
from mitherm.protocol import uuids
from mitherm.protocol.uuids import short
from mitherm.virtual.board.chip import Chip
from mitherm.virtual.board.mi_records import MI_STORE
from mitherm.virtual.board.nor_flash import FlashOperation, NorFlash
from mitherm.virtual.firmware.atc1441 import Atc1441Firmware, SensorValues, notified_values, tenths_fahrenheit
from mitherm.virtual.firmware.atc1441_settings import ADVERTISE_FAHRENHEIT, MI_LIKE, SETTINGS, is_comfortable
from mitherm.virtual.firmware.base import BootImage
from mitherm.virtual.firmware.gatt_stock import stock_table
from mitherm.virtual.firmware.gatt_tables import atc1441_table, pvvx_table
from mitherm.virtual.firmware.stock_records import StockRecords
from mitherm.virtual.mi_home.rules import MI_HOME_REFUSED, CloudEntry, decide, has_mi_service
from run_vectors import Judge

Case = dict[str, Any]
Wrong = str | None

_MAC = bytes.fromhex("a4c1381d4771")
_PVVX_58 = 0x58


def _differs(what: str, got: object, expected: object) -> Wrong:
    return None if got == expected else f"{what} is {got!r}, expected {expected!r}"


def _first(problems: Iterator[Wrong]) -> Wrong:
    return next((problem for problem in problems if problem is not None), None)


# --- fw-atc1441 -------------------------------------------------------------------------------------------------------


class _Atc:
    """A unit with atc1441's firmware that logs its sector erases."""

    def __init__(self, flash_before: dict[str, str]) -> None:
        self.effects: list[str] = []
        flash = NorFlash()
        flash.data[0x76000:0x76008] = _MAC[::-1] + b"\x55\xaa"
        for address, data in flash_before.items():
            start = int(address, 16)
            raw = bytes.fromhex(data)
            flash.data[start : start + len(raw)] = raw
        flash.watch = self._log
        self.firmware = Atc1441Firmware(Chip(flash), BootImage(Family.ATC1441, "", "LYWSD03MMC", 0, 64324))
        self.firmware.boot()

    def _log(self, operation: FlashOperation) -> None:
        if operation.kind == "erase":
            self.effects.append(f"sector erase {operation.address:#x}")

    def take_effects(self) -> list[str]:
        taken, self.effects = self.effects, []
        return taken


def _atc1441_step(unit: _Atc, step: Case) -> Iterator[Wrong]:
    firmware = unit.firmware
    if "write" in step:
        firmware.write(uuids.CUSTOM_COMMAND, bytes.fromhex(step["write"]))
        yield _differs(f"effects of {step['write']}", unit.take_effects(), step.get("effects", []))
    elif "read_settings" in step:
        yield _differs("settings", firmware.settings.raw.hex(), step["settings_ram"])
    elif "measurement" in step:
        yield _atc1441_advert(firmware, _measured(step["measurement"]), step["advertising"])
    elif "notify_values" in step:
        values = notified_values(_measured(step["notify_values"]))
        handles = [(_handle(firmware.gatt, char), value.hex()) for char, value in values.items()]
        expected = [(int(item["handle"], 16), item["value"]) for item in step["notify"]]
        yield _differs("notifications", handles, expected)
    elif "comfort" in step:
        inside = is_comfortable(step["comfort"]["temp_x100"], step["comfort"]["humi_x100"])
        yield _differs("comfort", int(inside), int(step["result"]))
    elif "event" in step:
        yield from _atc1441_event(unit, step)
    else:
        yield f"unknown step {sorted(step)}"


def _atc1441_advert(firmware: Atc1441Firmware, measured: SensorValues, wanted: str) -> Wrong:
    """The frame; while Fahrenheit is advertised, the measurement may be given in either unit."""
    fahrenheit = replace(measured, temperature_x10=tenths_fahrenheit(measured.temperature_x10))
    other, mi_like = deepcopy(firmware.adverts), bool(firmware.settings.raw[MI_LIKE])
    firmware.adverts.update(measured, mi_like=mi_like)
    other.update(fahrenheit, mi_like=mi_like)
    if firmware.settings.raw[ADVERTISE_FAHRENHEIT] and other.frame.hex() == wanted:
        return None
    return _differs("advert", firmware.adverts.frame.hex(), wanted)


def _measured(values: Case) -> SensorValues:
    return SensorValues(
        values["temp_x10"], values["humi"], values.get("battery_percent", 0), values.get("battery_mv", 3000)
    )


def _handle(table: GattTable, char: str) -> int:
    found = table.find(char)
    return 0 if found is None else found.handle


def _atc1441_event(unit: _Atc, step: Case) -> Iterator[Wrong]:
    if step["event"] != "initble":
        yield f"unknown event {step['event']}"
    outbox = unit.firmware.chip.outbox
    wait_s = unit.firmware.advertise()
    advert: Any = outbox.pop()
    yield _differs("first advert", advert.data, bytes(31))
    if "scan_response" in step:
        yield _differs("scan response", advert.scan_response.hex(), step["scan_response"])
    if "adv_param" in step:
        low, high = (int(word) * 0.625e-3 for word in step["adv_param"].split()[:2])
        yield None if low <= wait_s <= high else f"advertising interval {wait_s}"


def _atc1441(case: Case) -> Iterator[Wrong]:
    unit = _Atc(case.get("flash_before", {}))
    settings, flash = unit.firmware.settings, unit.firmware.chip.flash
    yield _differs("boot effects", unit.take_effects(), case.get("boot_effects", []))
    if "settings_after_boot" in case:
        yield _differs("settings after boot", settings.raw.hex(), case["settings_after_boot"])
    for step in case.get("steps", []):
        yield from _atc1441_step(unit, step)
    if "settings_at_end" in case:
        yield _differs("settings at end", settings.raw.hex(), case["settings_at_end"])
    for key, address in (("flash_78000", MI_STORE), ("flash_78100", SETTINGS)):
        if key in case:
            yield _differs(key, flash.read(address, len(case[key]) // 2).hex(), case[key])


# --- fw-flash-states --------------------------------------------------------------------------------------------------


def _flash_state(case: Case) -> Iterator[Wrong]:
    flash = NorFlash()
    raw = bytes.fromhex(case["sector_78000"])
    flash.data[MI_STORE : MI_STORE + len(raw)] = raw
    expect = case["expect"]
    records = StockRecords(flash, "0109")
    did = None if records.did is None else did_text(records.did)
    yield _differs("did", did, expect["did"])
    yield _differs("bound", records.bound, expect["bound"])
    yield _differs("Mi Home", _mi_home(case, did), expect["mi_home"])


def _mi_home(case: Case, did: str | None) -> str:
    tables = {
        "stock": stock_table("1.0.0_0130", serial=b"", hardware=b""),
        "pvvx": pvvx_table(_PVVX_58, {}),
        "atc1441": atc1441_table({}),
    }
    table = tables.get(re.split(r"\W", case["firmware"])[0])
    if table is None or not has_mi_service(table):  # Zigbee and the like have no table here, and no Mi service
        return "error -27/-28"
    known = case.get("cloud_knows", [])
    decision = decide(did, issued_here=known, entry=CloudEntry() if known else None)
    return "accept" if decision.accepted else f"error {MI_HOME_REFUSED}"


# --- fw-identify ------------------------------------------------------------------------------------------------------


def _identify(case: Case) -> Iterator[Wrong]:
    information = case.get("device_information", {})
    properties = case.get("char_1f1f_properties")
    identity = identify(
        Evidence(
            services=tuple(case.get("services", ())),
            device_information={short(int(key, 16)): bytes.fromhex(value) for key, value in information.items()},
            command_properties=None if properties is None else frozenset(properties),
            command_value=_hex(case.get("char_1f1f_read")),
            device_id_reply=_hex(case.get("reply_to_00")),
            advertised_name=case.get("advertised_name"),
        )
    )
    fields = {"firmware": "family"}
    for key, expected in case["expect"].items():
        if not hasattr(identity, fields.get(key, key)):
            yield f"nothing tells {key}"
        else:
            yield _differs(key, getattr(identity, fields.get(key, key)), expected)
    yield None if identity.evidence else "a verdict without reasons"


def _hex(text: str | None) -> bytes | None:
    return None if text is None else bytes.fromhex(text)


# --- mi-auth-gatt -----------------------------------------------------------------------------------------------------


def _gatt(case: Case) -> Iterator[Wrong]:
    table = _table(case["name"])
    if table is None:
        yield "no table of ours has this name"
        return
    yield _differs("services", [service.uuid for service in table], [item["uuid"] for item in case["services"]])
    for service, expected in zip(table, case["services"], strict=False):
        yield from _service(service, expected)


def _table(name: str) -> GattTable | None:
    for version in ("1.0.0_0109", "1.0.0_0130", "2.1.1_0159"):
        if name.startswith(f"stock {version}"):
            serial = b"0000-0000-0000-0000000" if version == "2.1.1_0159" else b"0000-0000-0000-00000"
            return stock_table(version, serial=serial, hardware=b"0000")
    if name.startswith("atc1441"):
        return atc1441_table({})
    return pvvx_table(_PVVX_58, {}) if name.startswith("pvvx") else None


def _service(service: Service, expected: Case) -> Iterator[Wrong]:
    yield _differs(f"range of {service.uuid}", (service.start, service.end), (expected["start"], expected["end"]))
    chars = [char.uuid for char in service.characteristics]
    yield _differs(f"characteristics of {service.uuid}", chars, [item["uuid"] for item in expected["characteristics"]])
    for char, wanted in zip(service.characteristics, expected["characteristics"], strict=False):
        yield from _characteristic(char, wanted)


def _characteristic(char: Characteristic, wanted: Case) -> Iterator[Wrong]:
    name = char.uuid
    found = {item.uuid: item for item in char.descriptors}
    text, cccd = found.get(uuids.USER_DESCRIPTION), found.get(uuids.CCCD)
    yield _differs(f"handle of {name}", char.handle, wanted["value_handle"])
    yield _differs(f"declaration of {name}", char.handle - 1, wanted["declaration_handle"])
    yield _differs(f"properties of {name}", sorted(char.properties), sorted(wanted["properties"]))
    yield _differs(f"text of {name}", None if text is None else text.value.decode(), wanted.get("user_description"))
    yield _differs(f"text handle of {name}", text and text.handle, wanted.get("user_description_handle"))
    yield _differs(f"CCCD of {name}", cccd and cccd.handle, wanted.get("cccd_handle"))
    if wanted.get("max_len") is not None:
        yield _differs(f"length of {name}", char.max_length, wanted["max_len"])
    if "default" in wanted:
        yield _differs(f"value of {name}", char.value.hex(), wanted["default"])


# --- areas ------------------------------------------------------------------------------------------------------------


def _judge(check: Callable[[Case], Iterator[Wrong]]) -> Judge:
    def judge(document: dict[str, Any]) -> Iterator[tuple[str, Wrong]]:
        for case in document["cases"]:
            yield case["name"], _first(check(case))

    return judge


AREAS: dict[str, Judge] = {
    "fw-atc1441": _judge(_atc1441),
    "fw-flash-states": _judge(_flash_state),
    "fw-identify": _judge(_identify),
    "mi-auth-gatt": _judge(_gatt),
}
