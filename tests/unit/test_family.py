"""Families and formats are enums in code, and the plain words of the contract everywhere outside."""

import json
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mitherm.model.address import Address
from mitherm.model.family import BeaconFormat, Family
from mitherm.store.inventory import Inventory

UNIT = Address.parse("A4:C1:38:00:00:01")
NOW = datetime(2026, 1, 2, tzinfo=UTC)


@pytest.mark.parametrize("word", [*Family, *BeaconFormat])
def test_the_plain_word_leaves_the_program(word: Family | BeaconFormat) -> None:
    plain = word.value
    assert json.dumps({word: word}) == f'{{"{plain}": "{plain}"}}'
    assert (f"{word}", f"{word:>3}", str(word), "%s" % word) == (plain,) * 4  # noqa: UP031
    assert sqlite3.connect(":memory:").execute("SELECT ?, typeof(?)", (word, word)).fetchone() == (plain, "text")


def test_inventory_writes_and_reads_words(tmp_path: Path) -> None:
    path = tmp_path / "inventory.json"
    Inventory(path).note(UNIT, now=NOW, family=Family.ZBDEVICE)
    assert json.loads(path.read_text())["units"][0]["family"] == "zbdevice"
    unit = Inventory(path).get(UNIT)
    assert unit is not None and unit.family is Family.ZBDEVICE


def test_inventory_of_another_version_is_read(tmp_path: Path) -> None:
    """A word that this version does not know is no damage."""
    path = tmp_path / "inventory.json"
    path.write_text(json.dumps({"schema": 1, "units": [{"address": str(UNIT), "family": "thread"}]}))
    unit = Inventory(path).get(UNIT)
    assert unit is not None and unit.family is Family.UNKNOWN


def test_questions_about_families() -> None:
    assert {one for one in Family if one.custom} == {"pvvx", "atc1441"}
    assert {one for one in Family if one.updatable} == {"stock", "pvvx", "atc1441"}
    assert {one.shown for one in Family} == {"stock", "pvvx", "atc1441", "zigbee", "unknown"}
    assert (Family.of("pvvx"), Family.of("PVVX"), Family.of(""), Family.of(None)) == ("pvvx", *["unknown"] * 3)


def test_questions_about_formats() -> None:
    assert {one for one in BeaconFormat if not one.custom} == {"mibeacon", "qingping"}
    assert {one for one in BeaconFormat if one.custom and not one.only_pvvx} == {"atc1441"}
    assert {one for one in BeaconFormat if one.encrypted} == {"pvvx-enc", "atc1441-enc"}
    assert {one for one in BeaconFormat if one.environmental} == {"pvvx", "atc1441", "pvvx-enc", "atc1441-enc"}
    assert {one: one.family for one in BeaconFormat if not one.only_pvvx} == {
        "mibeacon": "stock",
        "atc1441": "atc1441",
        "qingping": "unknown",
    }
