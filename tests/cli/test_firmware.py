"""`mitherm firmware`: what files are, and the library."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from helpers import assert_document
from mitherm.cli.app import run
from mitherm.image.synth import package, synth


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Any:
    """Runs a command with --json and checks its document and exit code."""

    def say(command: str, *arguments: str, code: int = 0) -> dict[str, Any]:
        assert run([*command.split(), *arguments, "--json"]) == code
        document = assert_document(capsys.readouterr().out, command)
        found: dict[str, Any] = document["result"] if code == 0 else document["error"]
        return found

    return say


def write(path: Path, data: bytes) -> str:
    path.write_bytes(data)
    return str(path)


def test_inspection_has_the_shape_of_the_contract(said: Any, tmp_path: Path) -> None:
    """A signed stock image: every field scripts read has its value."""
    data = package("stock-2.1.1_0159")
    found = said("firmware inspect", write(tmp_path / "signed.bin", data))
    assert {name: found[name] for name in ("file", "size", "kind", "family", "version", "model")} == {
        "file": "signed.bin",
        "size": len(data),
        "kind": "telink",
        "family": "stock",
        "version": "2.1.1_0159",
        "model": "LYWSD03MMC",
    }
    assert (found["product_id"], found["crc_ok"], found["signed"]) == (0x055B, True, True)
    assert (found["length"], found["catalogue"], found["build"]) == (104404, "synthetic", "c")
    assert found["warnings"]


def test_inspection_of_anything_readable_succeeds(said: Any, tmp_path: Path) -> None:
    """A text file is `not-an-image`, with exit 0."""
    found = said("firmware inspect", write(tmp_path / "letter.txt", b"Dear thermometer,"))
    assert (found["kind"], found["crc_ok"], found["signed"]) == ("not-an-image", None, False)


def test_a_tail_that_proves_nothing_is_null(said: Any, tmp_path: Path) -> None:
    """A signature of another image: `signed` is null and the reason is named."""
    tail = package("stock-2.1.1_0159")[104404:]
    found = said("firmware inspect", write(tmp_path / "forged.bin", synth("pvvx-5.8") + tail))
    assert (found["signed"], found["tail"]) == (None, True)
    assert found["refusal"]


@pytest.mark.parametrize("action", ["inspect", "verify"])
def test_files_that_are_not_there(said: Any, tmp_path: Path, action: str) -> None:
    """A missing file is exit 3, a directory exit 2."""
    assert said(f"firmware {action}", str(tmp_path / "missing.bin"), code=3)["kind"] == "FileMissing"
    assert said(f"firmware {action}", str(tmp_path), code=2)["kind"] == "BadFile"


def test_verify_judges_soundness(said: Any, tmp_path: Path) -> None:
    """A sound image passes; a flipped bit, a cut and a text file do not."""
    data = synth("pvvx-5.8")
    said("firmware verify", write(tmp_path / "good.bin", data))
    flipped = bytearray(data)
    flipped[0x2000] ^= 1
    for name, bad in (("flipped", bytes(flipped)), ("cut", data[:50000])):
        assert said("firmware verify", write(tmp_path / name, bad), code=2)["kind"] == "ImageCorrupt"
    error = said("firmware verify", write(tmp_path / "letter.txt", b"Dear thermometer,"), code=2)
    assert error["kind"] == "NotAnImage"
    assert "letter.txt" in error["message"]


def test_added_files_are_found_by_name_and_kind(said: Any, tmp_path: Path) -> None:
    """The library answers to the file's name and to its KIND, dots and all."""
    added = said("firmware add", write(tmp_path / "custom.bin", synth("pvvx-5.8")))
    assert added["changed"]
    assert added["images"][0]["kind"] == "pvvx-5.8"
    for name in ("custom.bin", "pvvx-5.8", added["images"][0]["sha256"][:10]):
        assert said("firmware inspect", name)["version"] == "5.8"


@pytest.mark.parametrize(
    ("data", "signed"),
    [
        (package("stock-2.1.1_0159"), "True"),
        (synth("pvvx-5.8"), "False"),
        (synth("pvvx-5.8") + package("stock-2.1.1_0159")[104404:], None),
    ],
    ids=["genuine", "none", "forged"],
)
def test_descriptions_in_the_library_keep_their_form(
    said: Any, tmp_path: Path, home: Path, data: bytes, signed: str | None
) -> None:
    """Files on disk say `signed` in the words of the first release."""
    said("firmware add", write(tmp_path / "image.bin", data))
    (description,) = home.rglob("*.json")
    facts = json.loads(description.read_text())["facts"]
    assert (facts.get("signed"), facts["catalogue"]) == (signed, "synthetic")


def test_adding_twice_changes_nothing(said: Any, tmp_path: Path) -> None:
    """The same bytes again are success without a change."""
    path = write(tmp_path / "custom.bin", synth("pvvx-5.8"))
    assert said("firmware add", path)["changed"]
    assert not said("firmware add", path)["changed"]
    assert len(said("firmware list")["images"]) == 1


def test_one_bad_file_keeps_all_out(said: Any, tmp_path: Path) -> None:
    """`add` of a good and a damaged file adds neither."""
    good = write(tmp_path / "good.bin", synth("pvvx-5.8"))
    bad = write(tmp_path / "bad.bin", synth("pvvx-5.8")[:5000])
    assert "bad.bin" in said("firmware add", good, bad, code=2)["message"]
    assert said("firmware list")["images"] == []


def test_dumps_stay_out_of_the_library(said: Any, tmp_path: Path) -> None:
    """A whole flash holds keys; it is no image to send."""
    dump = synth("pvvx-5.8").ljust(0x80000, b"\xff")
    assert "dump" in said("firmware add", write(tmp_path / "dump.bin", dump), code=2)["message"]


def test_synth_writes_the_published_bytes(said: Any, tmp_path: Path) -> None:
    """The file has the check value of virtual-unit.md 4, and the library stays empty."""
    made = said("firmware synth", "atc1441", "-o", str(tmp_path / "atc.bin"))
    assert made["sha256"] == "6142c8ab3d8c4cd17a4ae09ec9406bbef66d374080217cab27235d218d5cdc44"
    assert (tmp_path / "atc.bin").read_bytes() == synth("atc1441")
    assert said("firmware list")["images"] == []


def test_signed_stock_brings_its_sign_file(said: Any) -> None:
    """`synth stock-2.1.1_0159 --add` adds what custom images need on such a unit."""
    said("firmware synth", "stock-2.1.1_0159", "--add")
    kinds = {row["kind"] for row in said("firmware list")["images"]}
    assert kinds == {"stock-2.1.1_0159", "sign-2.1.1_0159"}


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["pvvx-5.8"], 2),
        (["stock-9", "--add"], 2),
        (["pvvx-5.8", "--add", "--model", "LYWSD99"], 2),
        (["pvvx-5.8", "-o", "no-such-folder/image.bin"], 3),
    ],
)
def test_synth_refuses(said: Any, arguments: list[str], code: int) -> None:
    """No place to put it, no such KIND, no such build, no such folder."""
    said("firmware synth", *arguments, code=code)


def test_catalogue_is_listed_on_demand(said: Any) -> None:
    """--all shows the published files with their hashes."""
    assert "catalogue" not in said("firmware list")
    assert "ATC_v58.bin" in {row["name"] for row in said("firmware list", "--all")["catalogue"]}


def test_text_names_what_matters(capsys: pytest.CaptureFixture[str]) -> None:
    """People read what it is and that it is synthetic; the data go to stdout."""
    assert run(["firmware", "synth", "pvvx-5.8", "--add"]) == 0
    assert run(["firmware", "inspect", "pvvx-5.8"]) == 0
    out = capsys.readouterr().out
    assert "pvvx 5.8" in out
    assert "Synthetic" in out
    with pytest.raises(ValueError, match="Expecting"):
        json.loads(out)
