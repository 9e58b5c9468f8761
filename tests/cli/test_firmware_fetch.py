"""`mitherm firmware fetch` and `--catalogue`, against a publisher on this computer."""

from __future__ import annotations

import hashlib
import json
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from fake_xiaomi import serving
from helpers import assert_document
from mitherm.cli.app import run
from mitherm.image.known_bad import UnitFacts, known_bad
from mitherm.image.recognise import Identity
from mitherm.image.shipped import shipped_catalogue, shipped_table
from mitherm.image.synth import package
from mitherm.model.family import Family
from mitherm.ops.files.catalogue_file import digest, read_catalogue

IMAGE = package("pvvx-5.8")
PLACE = "/pvvx/ATC_MiThermometer/bin/Made_v99.bin"


class Publisher:
    """What is published, and who asked for what."""

    def __init__(self) -> None:
        self.files = {PLACE: IMAGE}
        self.asked: list[str] = []
        self.status = 0
        self.redirect = ""

    def handler(self) -> type[BaseHTTPRequestHandler]:
        publisher = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, format: str, *args: object) -> None:
                """Quiet."""

            def do_GET(self) -> None:
                publisher.asked.append(self.path)
                body = publisher.files.get(self.path)
                redirect = publisher.redirect if not self.path.startswith("/moved") else ""
                self.send_response(publisher.status or (302 if redirect else 404 if body is None else 200))
                if redirect:
                    self.send_header("Location", redirect)
                self.end_headers()
                self.wfile.write(body or b"")

        return Handler


@pytest.fixture
def publisher() -> Publisher:
    return Publisher()


def table(**changes: Any) -> dict[str, Any]:
    """The shipped catalogue with one more file, sealed."""
    added = {
        "name": "Made_v99.bin",
        "repository": "pvvx/ATC_MiThermometer",
        "path": "bin/Made_v99.bin",
        "role": "custom",
        "family": "pvvx",
        "version": "99",
        "model": "LYWSD03MMC",
        "size": len(IMAGE),
        "sha256": hashlib.sha256(IMAGE).hexdigest(),
    }
    made = {**shipped_table(), "known_bad": [], **changes}
    made["files"] = [*made["files"], added]
    return made | {"sha256": digest(made)}


@pytest.fixture
def newer(tmp_path: Path) -> Path:
    """A catalogue that knows the published file."""
    path = tmp_path / "newer.json"
    path.write_text(json.dumps(table(date="2099-01-01")))
    return path


@pytest.fixture
def fetch(
    publisher: Publisher, newer: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Any:
    """Runs `firmware fetch`; the result or the error."""
    monkeypatch.setenv("MITHERM_CATALOGUE", str(newer))

    def run_it(*names: str, code: int = 0, offline: bool = False) -> dict[str, Any]:
        with serving(publisher.handler()) as base:
            monkeypatch.setenv("MITHERM_FIRMWARE_MIRROR", base)
            if not offline:
                got = run(["firmware", "fetch", *(names or ("Made_v99.bin",)), "--json"])
        if offline:
            got = run(["firmware", "fetch", *(names or ("Made_v99.bin",)), "--json"])
        document = assert_document(capsys.readouterr().out, "firmware fetch")
        assert got == code, document
        found: dict[str, Any] = document["result"] if code == 0 else document["error"]
        return found

    return run_it


@pytest.mark.parametrize("name", ["Made_v99.bin", "made_v99", "pvvx-99", hashlib.sha256(IMAGE).hexdigest()])
def test_a_download_is_kept(fetch: Any, publisher: Publisher, name: str) -> None:
    """By name, KIND or hash; from then on without network."""
    found = fetch(name)
    assert found["changed"] is True and found["images"][0]["name"] == "Made_v99.bin"
    assert publisher.asked == [PLACE]
    again = fetch(name, offline=True)
    assert again["changed"] is False and again["images"][0]["new"] is False
    assert publisher.asked == [PLACE]


def test_a_plain_folder_is_a_mirror(fetch: Any, publisher: Publisher) -> None:
    """Files by name alone will do."""
    publisher.files = {"/Made_v99.bin": IMAGE}
    assert fetch()["changed"] is True


def test_a_redirect_on_the_same_server_is_followed(fetch: Any, publisher: Publisher) -> None:
    """Publishers move files."""
    publisher.redirect, publisher.files = "/moved/x.bin", {"/moved/x.bin": IMAGE}
    assert fetch()["changed"] is True


CHANGED = IMAGE[:4000] + bytes([IMAGE[4000] ^ 1]) + IMAGE[4001:]
OTHER = package("pvvx-5.7")


@pytest.mark.parametrize(
    ("published", "says"),
    [
        (IMAGE[:-1], f"{len(IMAGE) - 1} bytes instead of {len(IMAGE)}"),
        (b"", "0 bytes"),
        (IMAGE + b"more" * 1000, f"more than {len(IMAGE)}"),
        (CHANGED, "no sound image either"),
        (OTHER if len(OTHER) == len(IMAGE) else OTHER.ljust(len(IMAGE), b"\xff")[: len(IMAGE)], "SHA-256"),
    ],
    ids=["short", "empty", "long", "damaged", "other"],
)
def test_what_is_not_the_file_is_not_kept(
    fetch: Any, publisher: Publisher, home: Path, published: bytes, says: str
) -> None:
    """Wrong length, damage, and another sound image are told apart; nothing is stored."""
    publisher.files[PLACE] = published
    error = fetch(code=2)
    assert (error["kind"], error["rule"]) == ("ImageCorrupt", "H17") and says in error["message"]
    assert not list(home.rglob("*.bin"))


@pytest.mark.parametrize(
    ("status", "redirect", "code", "kind"),
    [
        (404, "", 3, "ImageMissing"),
        (500, "", 6, "NetworkUnreachable"),
        (0, "http://192.0.2.1/x", 6, "NetworkUnreachable"),
    ],
)
def test_a_publisher_that_fails(
    fetch: Any, publisher: Publisher, status: int, redirect: str, code: int, kind: str
) -> None:
    """Gone, in trouble, or sending us elsewhere: each its exit code."""
    publisher.status, publisher.redirect = status, redirect
    assert fetch(code=code)["kind"] == kind


def test_no_network(fetch: Any) -> None:
    """Exit 6."""
    assert fetch(code=6, offline=True)["kind"] == "NetworkUnreachable"


def test_a_tampered_library_file_is_never_used(fetch: Any, home: Path, publisher: Publisher) -> None:
    """Offline it is refused, online it is replaced by what the catalogue describes."""
    fetch()
    (kept,) = home.rglob("*.bin")
    kept.write_bytes(CHANGED)
    assert fetch(code=2, offline=True)["kind"] == "ImageCorrupt"
    assert kept.read_bytes() == CHANGED
    assert fetch()["changed"] is True
    assert kept.read_bytes() == IMAGE and publisher.asked == [PLACE, PLACE]


@pytest.mark.parametrize(
    ("name", "code", "kind"), [("Made_v98", 3, "ImageMissing"), ("Zbeacon-TS0001_ff", 2, "NotSupported")]
)
def test_names_that_are_not_fetched(fetch: Any, publisher: Publisher, name: str, code: int, kind: str) -> None:
    """Unknown names, and dumps of other people's units."""
    assert fetch(name, code=code)["kind"] == kind
    assert publisher.asked == []


def test_the_near_name_is_offered(fetch: Any) -> None:
    """A slip of the finger."""
    assert "Made_v99.bin" in fetch("Made_v98.bin", code=3)["hint"]


WARNED = {"image": {"family": "pvvx", "version": "99"}, "unit": {}, "verdict": "refuse"} | {
    "rule": "H3",
    "text": "it was withdrawn",
    "source": "this test",
}


# --- the table --------------------------------------------------------------------------------------------------------


def broken(kind: str) -> str:
    """A table that is wrong in one way."""
    good = table(date="2099-01-01")
    match kind:
        case "tampered":
            good["files"][0] = good["files"][0] | {"sha256": "00" * 32}
            return json.dumps(good)
        case "older":
            return json.dumps(table(date="2020-01-01"))
        case "undated":
            return json.dumps(table(date="soon"))
        case "entry":
            return json.dumps(table(date="2099-01-01", files=[{"name": "x"}]))
        case "contradiction":
            changed = [shipped_table()["files"][0] | {"model": "CGG1"}, *shipped_table()["files"][1:]]
            return json.dumps(table(date="2099-01-01", files=changed))
        case "row":
            return json.dumps(table(date="2099-01-01", known_bad=[WARNED | {"unit": {"colour": "red"}}]))
        case "rows":
            return json.dumps(table(date="2099-01-01", known_bad=["red"]))
        case "name":
            return json.dumps(table(date="2099-01-01", files=[shipped_table()["files"][0] | {"name": 5}]))
        case "list":
            return "[]"
    return json.dumps(good)[:-9]


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("tampered", "was changed"),
        ("older", "older"),
        ("undated", "when it was made"),
        ("entry", "describe no file"),
        ("contradiction", "contradicts what is known of ATC_v58.bin (model)"),
        ("row", "known-bad row"),
        ("rows", "known-bad row"),
        ("name", "describe no file"),
        ("list", "no firmware catalogue"),
        ("torn", "no firmware catalogue"),
    ],
)
def test_tables_that_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str, says: str) -> None:
    """Exit 2, and nothing of it is used."""
    path = tmp_path / "table.json"
    path.write_text(broken(kind))
    assert run(["firmware", "list", "--catalogue", str(path), "--json"]) == 2
    error = json.loads(capsys.readouterr().out)["error"]
    assert error["kind"] == "BadFile" and says in error["message"]


def test_a_missing_table(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 3."""
    assert run(["--catalogue", "/nowhere.json", "firmware", "list", "--json"]) == 3


def test_a_table_of_the_same_day_is_taken(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Not older is enough."""
    path = tmp_path / "table.json"
    path.write_text(json.dumps(table()))
    for arguments, there in ((["--catalogue", str(path)], True), ([], False)):
        assert run(["firmware", "list", "--all", *arguments, "--json"]) == 0
        rows = assert_document(capsys.readouterr().out, "firmware list")["result"]["catalogue"]
        assert ("Made_v99.bin" in {row["name"] for row in rows}) is there


def test_a_table_warns_of_more_never_of_less(tmp_path: Path) -> None:
    """Its known-bad rows come on top of the shipped ones."""
    path = tmp_path / "table.json"
    path.write_text(json.dumps(table(date="2099-01-01", known_bad=[WARNED])))
    withdrawn, old = Identity(Family.PVVX, "99"), Identity(Family.PVVX, "5.8", device_id=9)
    newer = read_catalogue(path)
    assert [row.text for row in known_bad(newer, withdrawn, UnitFacts())] == ["it was withdrawn"]
    assert known_bad(newer, old, UnitFacts(family=Family.STOCK))
    assert known_bad(shipped_catalogue(), withdrawn, UnitFacts()) == ()


DARK = {"image": {"family": "pvvx", "version": "5.8"}, "unit": {"hardware": ["B1.4"]}, "verdict": "blank"} | {
    "rule": "F4",
    "text": "the display of B1.4 stays dark with it",
    "source": "this test",
}


@pytest.mark.parametrize(("rows", "display"), [([DARK], "blank"), ([], "ok")])
def test_guards_and_rehearsal_use_one_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], rows: list[dict[str, Any]], display: str
) -> None:
    """What a newer table warns of, the guard refuses, and the twin of the dry run shows."""
    path, units = tmp_path / "table.json", tmp_path / "units"
    path.write_text(json.dumps(table(date="2099-01-01", known_bad=rows)))
    assert run(["virtual", "create", str(units), "--unit", "pvvx-5.7,address=A4:C1:38:00:00:01,hardware=B1.4"]) == 0
    assert run(["firmware", "synth", "pvvx-5.8", "--add"]) == 0
    flash = ["--radio", f"virtual:{units}", "--catalogue", str(path), "flash", "A4:C1:38:00:00:01", "pvvx-5.8", "--yes"]
    assert run([*flash, "--dry-run"]) == (4 if rows else 0)
    capsys.readouterr()
    assert run([*flash, "--dry-run", "--allow-blank-display", "--json"]) == 0
    result = assert_document(capsys.readouterr().out, "flash")["result"]
    assert result["rehearsal"]["final"]["display"] == display
