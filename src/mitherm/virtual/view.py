"""A unit as an omniscient observer sees and changes it: for `virtual list`, `set` and `battery`."""

from __future__ import annotations

from collections.abc import Mapping

from mitherm.errors import SettingsError
from mitherm.model.keys import did_record, did_text
from mitherm.model.unit_state import UnitState
from mitherm.virtual.board.mi_records import MiRecordStore
from mitherm.virtual.boot import running_bank
from mitherm.virtual.faults import fault_from_text
from mitherm.virtual.unit import BROWN_OUT_MV, Unit

STORE = 0x78000


def state_of(unit: Unit) -> UnitState:
    """Board, firmware, bank, display, records: facts from flash and state."""
    chip, did = unit.chip, _record(unit, 0x0001)
    return UnitState(
        address=unit.address,
        model=chip.model,
        hardware=chip.hardware,
        runs=_firmware(unit),
        bank=running_bank(chip.flash),
        display=unit.display,
        battery_mv=chip.cell.millivolts if chip.cell.inserted else 0,
        rssi_dbm=unit.rssi_dbm,
        did=did_text(did) if did else None,
        bound=_record(unit, 0x0010) is not None,
        temperature_c=chip.climate.temperature_c,
        humidity_pct=chip.climate.humidity_pct,
        last_update=unit.last_update,
        faults=unit.faults.to_tables(),
    )


def _firmware(unit: Unit) -> str:
    if unit.firmware is not None:
        return f"{unit.firmware.image.family} {unit.firmware.image.version}".strip()
    return "dark" if unit.powered else "off"


def _record(unit: Unit, number: int) -> bytes | None:
    for sector in (STORE, STORE + 0x1000):
        if not unit.chip.flash.is_blank(sector, 4):
            return MiRecordStore(unit.chip.flash, sector).find(number)
    return None


def change(unit: Unit, values: Mapping[str, str]) -> None:
    """Set surroundings by name. Raises SettingsError for what it does not know."""
    for name, text in values.items():
        try:
            _change(unit, name, text)
        except ValueError:
            raise SettingsError(f"{name}={text} cannot be understood") from None


def _change(unit: Unit, name: str, text: str) -> None:
    chip = unit.chip
    match name:
        case "temperature_c":
            chip.climate.temperature_c = float(text)
        case "humidity_pct":
            chip.climate.humidity_pct = float(text)
        case "battery_mv":
            chip.cell.millivolts = int(text)
        case "sag_mv":
            chip.cell.sag_mv = int(text)
        case "rssi_dbm":
            unit.rssi_dbm = None if text.lower() == "false" else int(text)
        case "factory_did":
            MiRecordStore(chip.flash, STORE).write(0x0001, did_record(text))
        case _ if name.startswith("fault."):
            unit.faults.faults.append(fault_from_text(name.removeprefix("fault."), text))
        case _:
            raise SettingsError(
                f"unknown setting {name!r}",
                hint="temperature_c, humidity_pct, battery_mv, sag_mv, rssi_dbm, factory_did, fault.KIND=AT,n=N",
            )


def change_battery(unit: Unit, what: str) -> None:
    """`out`, `in`, or millivolts. Raises SettingsError."""
    cell = unit.chip.cell
    if what == "out":
        unit.power_down(0.0)
        cell.inserted = False
    elif what == "in":
        cell.inserted = True
        unit.power_down(0.0)
        unit.power_up(0.0)
    elif what.isdigit() and int(what) <= 3600:
        unit.set_millivolts(int(what), 0.0)
        if int(what) >= BROWN_OUT_MV and not unit.powered:
            unit.power_up(0.0)
    else:
        raise SettingsError(f"{what!r} is neither out, in, nor millivolts up to 3600")
