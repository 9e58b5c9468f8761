"""What a unit allows and demands, decided once."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mitherm.device.abilities import Abilities
from mitherm.device.boards import NEW_BOARD, decide_board, possible_boards, remembered_board
from mitherm.device.identify import Identity
from mitherm.device.observation import Observation
from mitherm.model import models
from mitherm.model.address import Address
from mitherm.model.family import Family
from mitherm.model.gatt import GattTable
from mitherm.store.inventory import Inventory, KnownUnit

UNIT = Address.parse("A4:C1:38:00:00:01")
FY = "F2.0-3-FY-NF-S-G-JH-"
OLD = "F2.0-CFMK-LB-ZCXTJ--"


def unit(family: Family, version: str | None, model: str = "LYWSD03MMC", **more: object) -> Abilities:
    """The abilities of a unit that was looked at."""
    boards = models.candidates(model, version=version)
    identity = Identity(family, version, model, boards=boards)
    return Abilities.of(replace(Observation(UNIT, identity, GattTable(())), **more))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("hardware", "serial", "hardware_id", "board"),
    [
        ("B1.4", "F1.0-CFMK-LB-ZCXTJ--", None, "B1.4"),
        ("B1.6", OLD, None, "B1.6"),
        ("B1.6", FY, None, NEW_BOARD),
        ("B1.5", "F2.0-1-FY-NF-S-G-JH-", None, NEW_BOARD),
        (None, FY, None, NEW_BOARD),
        ("B1.6", None, None, None),
        ("B1.1", None, None, NEW_BOARD),
        ("B1.6", OLD, 14, NEW_BOARD),
        ("B1.4", FY, None, "B1.4"),
        ("V2.3", OLD, None, None),
        (None, None, None, None),
    ],
)
def test_the_board(hardware: str | None, serial: str | None, hardware_id: int | None, board: str | None) -> None:
    assert decide_board(hardware, serial, hardware_id) == board


def test_boards_a_unit_may_have() -> None:
    assert possible_boards("B1.6", NEW_BOARD) == (NEW_BOARD,)
    assert possible_boards("B1.6", None) == ("B1.6", NEW_BOARD)
    assert len(possible_boards(None, None)) == 7


def test_an_inventory_without_boards_proves_little(tmp_path: Path) -> None:
    """Files of mitherm 0.1 have the string of 2A27 alone: B1.6 may be a board of 2025, B1.4 cannot."""
    rows = [{"address": f"A4:C1:38:00:00:0{n}", "hardware": text} for n, text in enumerate(("B1.4", "B1.6", "B1.1"))]
    path = tmp_path / "inventory.json"
    path.write_text(json.dumps({"schema": 1, "units": rows}))
    assert [remembered_board(known) for known in Inventory(path).units()] == ["B1.4", None, NEW_BOARD]
    assert remembered_board(None) is None


def test_an_inventory_keeps_the_board(tmp_path: Path) -> None:
    inventory = Inventory(tmp_path / "inventory.json")
    inventory.note(UNIT, now=datetime(2026, 1, 1, tzinfo=UTC), hardware="B1.6", board=NEW_BOARD)
    inventory.note(UNIT, now=datetime(2026, 1, 2, tzinfo=UTC), family=Family.ATC1441)
    known = Inventory(tmp_path / "inventory.json").get(UNIT)
    assert isinstance(known, KnownUnit) and known.hardware == "B1.6"
    assert remembered_board(known) == NEW_BOARD


@pytest.mark.parametrize(
    ("abilities", "account", "signature"),
    [
        (unit(Family.STOCK, "1.0.0_0130"), False, False),
        (unit(Family.STOCK, "1.0.0_0130", mi_generation=2), True, True),
        (unit(Family.STOCK, "2.1.1_0159"), True, True),
        (unit(Family.STOCK, "2.1.1_0159", mi_generation=1), True, True),
        (unit(Family.STOCK, "0026", "MJWSD05MMC"), True, False),
        (unit(Family.STOCK, "1.0.0_0016", "MHO-C401"), False, False),
        (unit(Family.PVVX, "5.8"), False, False),
        (unit(Family.ATC1441, None), False, False),
    ],
)
def test_what_stock_demands(abilities: Abilities, account: bool, signature: bool) -> None:
    assert (abilities.needs_account, abilities.needs_signature) == (account, signature)


def test_the_build_is_told_by_the_length_of_the_serial_number() -> None:
    """22 characters on build B1.6 of 2.1.1_0159; no other version tells a build."""
    version = "2.1.1_0159"
    assert unit(Family.STOCK, version, serial=FY).build == "c"
    assert unit(Family.STOCK, version, serial=FY + "06").build == "B1.6"
    assert unit(Family.STOCK, version).build is None
    assert unit(Family.STOCK, version).running.build == "c"
    assert unit(Family.STOCK, "1.0.0_0130", serial=FY + "06").build is None


@pytest.mark.parametrize(
    ("abilities", "bank", "extended"),
    [
        (unit(Family.STOCK, "1.0.0_0130"), 0x20000, False),
        (unit(Family.STOCK, "0026", "MJWSD05MMC"), 0x25000, False),
        (unit(Family.PVVX, "4.5"), 0x20000, False),
        (unit(Family.PVVX, "4.6"), 0x20000, True),
        (unit(Family.PVVX, "4.5", "MJWSD05MMC", hardware_id=9), 0x20000, True),
        (unit(Family.PVVX, "5.8", "MJWSD06MMC", hardware_id=13), 0x1C000, True),
        (unit(Family.ATC1441, None), 0x20000, False),
    ],
)
def test_room_for_an_image(abilities: Abilities, bank: int, extended: bool) -> None:
    assert (abilities.bank_size, abilities.extended) == (bank, extended)


def test_two_boards_of_one_name_are_told_apart() -> None:
    """By the pvvx id or the stock version; else the name stays what it is."""
    assert unit(Family.STOCK, "1.0.0_0016", "MHO-C401").model_key == "MHO-C401N"
    assert unit(Family.STOCK, "1.0.0_0010", "MHO-C401").model_key == "MHO-C401"
    assert unit(Family.STOCK, None, "MHO-C401").model_key == "MHO-C401"
