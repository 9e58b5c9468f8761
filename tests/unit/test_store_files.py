"""Paths, inventory and image library."""

import hashlib
import json
import stat
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mitherm.errors import DiskProblem, ImageCorrupt, ImageMissing, SchemaTooNew, UsageProblem
from mitherm.model.address import Address
from mitherm.model.family import Family
from mitherm.store.inventory import Inventory, KnownUnit
from mitherm.store.library import Library
from mitherm.store.paths import Paths

UNIT = Address.parse("A4:C1:38:01:02:03")
OTHER = Address.parse("A4:C1:38:0A:0B:0C")
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
HOUR = timedelta(hours=1)

# --- paths ------------------------------------------------------------------------------------------------------------


def test_home_holds_everything(home: Path) -> None:
    """MITHERM_HOME moves vault, inventory, journal and cache into one folder, and creates nothing yet."""
    paths = Paths.from_environment()
    assert {path.parent for path in (paths.vault, paths.inventory, paths.journal, paths.library)} == {home}
    assert not home.exists()


def test_home_is_absolute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A relative home does not move when the working directory does."""
    monkeypatch.chdir(tmp_path)
    assert Paths.from_environment({"MITHERM_HOME": "here"}).vault == tmp_path / "here" / "vault"


@pytest.mark.skipif(sys.platform != "linux", reason="XDG folders")
def test_without_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Otherwise each kind of file goes where the system keeps that kind."""
    for kind in ("DATA", "STATE", "CACHE"):
        monkeypatch.setenv(f"XDG_{kind}_HOME", str(tmp_path / kind.lower()))
    paths = Paths.from_environment({})
    assert paths == Paths(
        tmp_path / "data/mitherm/vault",
        tmp_path / "data/mitherm/inventory.json",
        tmp_path / "state/mitherm/journal.jsonl",
        tmp_path / "cache/mitherm/images",
    )


# --- inventory --------------------------------------------------------------------------------------------------------


@pytest.fixture
def inventory(tmp_path: Path) -> Inventory:
    return Inventory(tmp_path / "data" / "inventory.json")


def test_facts_merge(inventory: Inventory, tmp_path: Path) -> None:
    """What one look did not tell stays known from an earlier one."""
    inventory.note(
        UNIT, now=NOW, model="LYWSD03MMC", family=Family.STOCK, version="1.0.0_0130", did="blt.3.1x", bound=True
    )
    inventory.note(UNIT, now=NOW + HOUR, family=Family.STOCK, hardware="B1.4", bound=False)
    assert Inventory(tmp_path / "data" / "inventory.json").get(UNIT) == KnownUnit(
        UNIT, None, "LYWSD03MMC", "B1.4", "stock", "1.0.0_0130", "blt.3.1x", False, NOW + HOUR
    )


def test_a_version_belongs_to_its_family(inventory: Inventory) -> None:
    """After a change of firmware the old version is not the new one's."""
    inventory.note(UNIT, now=NOW, family=Family.STOCK, version="1.0.0_0130")
    assert inventory.note(UNIT, now=NOW, family=Family.PVVX).version is None
    assert inventory.note(UNIT, now=NOW, family=Family.PVVX, version="5.8").version == "5.8"


def test_names(inventory: Inventory) -> None:
    """Names are found whatever their case, all of them, and survive a look."""
    inventory.set_name(UNIT, "Küche")
    inventory.set_name(OTHER, "küche")
    inventory.note(UNIT, now=NOW, family=Family.PVVX)
    assert [unit.address for unit in inventory.by_name("KÜCHE")] == [UNIT, OTHER]
    inventory.set_name(OTHER, None)
    assert [unit.address for unit in inventory.by_name("Küche")] == [UNIT]
    assert inventory.by_name("Bad") == ()


def test_aliases(inventory: Inventory) -> None:
    """Each host has its own name for a unit."""
    inventory.set_alias(UNIT, "mac1", "UUID-1")
    inventory.set_alias(UNIT, "mac2", "UUID-2")
    assert inventory.by_alias("mac2", "UUID-2") == inventory.get(UNIT)
    assert inventory.by_alias("mac1", "UUID-2") is None


def test_empty_inventory(inventory: Inventory) -> None:
    """Reading creates nothing."""
    assert (inventory.units(), inventory.get(UNIT), inventory.by_name("x")) == ((), None, ())


@pytest.mark.parametrize("content", ["", "{", '{"schema": 1}', '{"schema": 1, "units": [{"address": "x"}]}'])
def test_damaged_inventory_is_not_overwritten(inventory: Inventory, tmp_path: Path, content: str) -> None:
    """Names that people gave are not lost to a program that could not read them."""
    path = tmp_path / "data" / "inventory.json"
    path.parent.mkdir()
    path.write_text(content)
    with pytest.raises(DiskProblem) as caught:
        inventory.note(UNIT, now=NOW)
    assert caught.value.hint
    assert path.read_text() == content


def test_newer_inventory_is_left_alone(inventory: Inventory, tmp_path: Path) -> None:
    """A later schema is not guessed at."""
    inventory.set_name(UNIT, "x")
    path = tmp_path / "data" / "inventory.json"
    path.write_text(path.read_text().replace('"schema": 1', '"schema": 9'))
    with pytest.raises(SchemaTooNew):
        inventory.set_name(OTHER, "y")


def test_a_foreign_folder_keeps_its_mode(tmp_path: Path) -> None:
    """MITHERM_HOME may be any folder of the user: only our own folders are closed."""
    tmp_path.chmod(0o755)
    Inventory(tmp_path / "inventory.json").set_name(UNIT, "x")
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755


# --- library ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return Library(tmp_path / "cache" / "images")


def test_images_come_back(library: Library, tmp_path: Path) -> None:
    """An image is found by name, kind and the beginning of its SHA-256."""
    entry = library.add(b"image", name="ATC_v58.bin", kind="pvvx-5.8", now=NOW, facts={"model": "LYWSD03MMC"})
    library.add(b"other", name="other.bin", kind="stock-1.0.0_0130", now=NOW)
    library = Library(tmp_path / "cache" / "images")
    for query in ("ATC_v58.bin", "atc_V58.BIN", "pvvx-5.8", entry.sha256[:6], entry.sha256):
        assert library.find(query) == entry
    assert library.read(entry) == b"image"
    assert len(library.entries()) == 2


@pytest.mark.parametrize("query", ["", "pvvx", "abc", "nothing"])
def test_nothing_is_guessed(library: Library, query: str) -> None:
    """A part of a name, or a very short prefix, finds nothing."""
    library.add(b"image", name="ATC_v58.bin", kind="pvvx-5.8", now=NOW)
    library.add(b"unknown kind", name="x.bin", kind="", now=NOW)
    assert library.find(query) is None


def test_added_twice_is_one(library: Library) -> None:
    """The same bytes are one file; its description is the last one given."""
    library.add(b"image", name="a.bin", kind="", now=NOW)
    library.add(b"image", name="b.bin", kind="pvvx-5.8", now=NOW + HOUR)
    (entry,) = library.entries()
    assert (entry.name, entry.kind) == ("b.bin", "pvvx-5.8")


def test_the_last_of_a_kind_wins(library: Library) -> None:
    """Two builds of one kind: the one added last."""
    library.add(b"new", name="a", kind="pvvx-5.8", now=NOW + HOUR)
    library.add(b"old", name="b", kind="pvvx-5.8", now=NOW)
    assert library.read(library.find("pvvx-5.8")) == b"new"


def test_ambiguous_prefix(library: Library) -> None:
    """Digits that fit two images are refused."""
    digits = {}
    for number in range(20000):
        data = str(number).encode()
        entry_digest = hashlib.sha256(data).hexdigest()[:6]
        if entry_digest in digits:
            library.add(digits[entry_digest], name="a", kind="", now=NOW)
            library.add(data, name="b", kind="", now=NOW + HOUR)
            with pytest.raises(UsageProblem, match="a, b"):
                library.find(entry_digest)
            return
        digits[entry_digest] = data
    pytest.fail("no two alike; enlarge the range")


def test_tampered_image(library: Library, tmp_path: Path) -> None:
    """A changed file is never handed out."""
    entry = library.add(b"image", name="a.bin", kind="", now=NOW)
    (tmp_path / "cache" / "images" / f"{entry.sha256}.bin").write_bytes(b"imagE")
    with pytest.raises(ImageCorrupt, match="SHA-256"):
        library.read(entry)
    library.add(b"image", name="a.bin", kind="", now=NOW)  # adding it again repairs it
    assert library.read(entry) == b"image"


def test_lost_image(library: Library, tmp_path: Path) -> None:
    """A cleaned cache is no crash: the image is missing and no longer listed."""
    entry = library.add(b"image", name="a.bin", kind="", now=NOW)
    (tmp_path / "cache" / "images" / f"{entry.sha256}.bin").unlink()
    assert library.entries() == ()
    with pytest.raises(ImageMissing):
        library.read(entry)


def test_damaged_description(library: Library, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """One bad description hides no other image, and is logged."""
    entry = library.add(b"image", name="a.bin", kind="", now=NOW)
    good = library.add(b"good", name="b.bin", kind="", now=NOW)
    path = tmp_path / "cache" / "images" / f"{entry.sha256}.json"
    path.write_text(json.dumps({"schema": 1, "sha256": "00"}))
    assert library.entries() == (good,)
    assert entry.sha256 in caplog.text
