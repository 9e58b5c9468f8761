"""The shipped JSON Schemas: one for every command, sound, strict, and true of what the commands print."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from jsonschema import Draft202012Validator

from helpers import assert_document, assert_fits, validator
from mitherm.cli.app import root, run
from mitherm.cli.schemas import schema, schema_names

SHARED = {"common", "envelope"}
STREAMS = {"scan --watch", "monitor --json"}
STOCK, FLASHED = "A4:C1:38:00:00:01", "A4:C1:38:00:00:02"


def leaves(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[str]:
    """Every command of the tree that does something, as typed."""
    if not isinstance(command, click.Group):
        yield " ".join(path)
        return
    context = click.Context(command)
    for name in command.list_commands(context):
        found = command.get_command(context, name)
        assert found is not None
        yield from leaves(found, (*path, name))


def test_every_command_has_a_schema_and_every_schema_a_command() -> None:
    """The command tree and the folder of schemas name the same commands."""
    assert sorted(leaves(root())) == sorted(set(schema_names()) - SHARED - STREAMS)


@pytest.mark.parametrize("name", schema_names())
def test_schema_is_sound(name: str) -> None:
    """Every file is a valid schema of draft 2020-12 and says which."""
    found = schema(name)
    Draft202012Validator.check_schema(found)
    assert found["$schema"] == Draft202012Validator.META_SCHEMA["$id"]


@pytest.mark.parametrize("name", sorted(set(schema_names()) - SHARED - STREAMS))
def test_schema_is_strict(name: str) -> None:
    """A result with a field nobody promised is refused, and so is a document of another command."""
    document = {"schema": 1, "command": name, "ok": True, "result": {"changed": False, "surprise": 1}}
    assert not validator(name).is_valid(document)
    failed = _failed(name)
    assert_fits(failed, name)
    assert not validator(name).is_valid({**failed, "command": "another"})
    assert not validator(name).is_valid({**failed, "error": {**failed["error"], "surprise": 1}})


def test_success_carries_no_error_and_failure_does() -> None:
    """`ok` and `error` belong together."""
    failed = _failed("flash")
    assert not validator("envelope").is_valid({**failed, "ok": True, "result": {"changed": False}})
    del failed["error"]
    assert not validator("envelope").is_valid(failed)


def test_redacted_keys_show_nothing() -> None:
    """A row that says it is redacted cannot hold a token."""
    row = dict.fromkeys(("token", "bind_key", "did", "confirmed", "superseded")) | {
        "address": STOCK,
        "origin": "activation",
        "created": "2026-01-01T00:00:00Z",
        "kind": "mi",
        "fingerprint": "00000000",
        "redacted": True,
    }
    document = {
        "schema": 1,
        "command": "activate",
        "ok": True,
        "result": {"outcome": "activated", "keys": [row], "changed": True},
    }
    assert_fits(document, "activate")
    row["token"] = "00" * 12
    assert not validator("activate").is_valid(document)


def _failed(name: str) -> dict[str, Any]:
    error = {"kind": "Busy", "message": "m", "hint": None, "device": "unchanged", "rule": None, "waiver": None}
    return {"schema": 1, "command": name, "ok": False, "error": error, "result": None}


# --- what the commands print ------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """A factory-new stock unit, and one that a web flasher activated."""
    place = tmp_path / "units"
    specs = [f"stock-1.0.0_0130,address={STOCK}", f"stock-1.0.0_0130,address={FLASHED},bound=flasher"]
    code = run(["virtual", "create", str(place), "--unit", specs[0], "--unit", specs[1], "--json"])
    assert_document(capsys.readouterr().out, "virtual create")
    assert code == 0
    return place


def test_documents_fit_their_schemas(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A story of a unit, every command with --json, each document as its schema says."""
    radio = ("--radio", f"virtual:{folder}")
    image = str(tmp_path / "image.bin")

    def said(command: str, *arguments: str, code: int = 0) -> dict[str, Any]:
        assert run([*command.split(), *arguments, "--json"]) == code
        return assert_document(capsys.readouterr().out, command)

    said("firmware synth", "pvvx-5.8", "--add", "-o", image)
    said("firmware synth", "stock-1.0.0_0130", "--add")
    said("firmware list", "--all")
    said("firmware inspect", image)
    said("firmware verify", image)
    said("firmware add", image)
    said("scan", *radio)
    said("info", STOCK, *radio)
    said("login", STOCK, *radio, code=5)
    said("activate", STOCK, *radio)
    said("activate", STOCK, *radio, "--reveal")
    said("login", STOCK, *radio)
    said("bring", STOCK, "--to", "pvvx", *radio, "--dry-run")
    said("bring", STOCK, "--to", "pvvx", *radio, code=2)
    said("keys test", STOCK, *radio)
    said("bring", STOCK, "--to", "pvvx", *radio, "--yes")
    said("keys list")
    pair = said("keys show", STOCK, "--reveal")["result"]["keys"][0]["id"]
    said("keys show", FLASHED, code=5)
    said("keys export", "--for", "esphome", "-o", str(tmp_path / "keys.yaml"))
    said("keys export", "--for", "json", "--reveal")
    said("keys import", str(tmp_path / "keys.yaml"), "--address", STOCK)
    said("keys backup", STOCK, *radio)
    said("keys restore", STOCK, *radio, "--yes", "--generation", pair)
    said("keys erase", STOCK, *radio, "--yes")
    said("keys swap", STOCK, *radio, "--yes", code=2)
    said("flash", STOCK, "pvvx-5.8", *radio, "--yes")
    said("scan", *radio)
    said("inventory list")
    said("inventory name", STOCK, "Cellar")
    said("journal")
    said("virtual list", str(folder))
    said("virtual set", str(folder), STOCK, "temperature_c=4.5")
    said("virtual battery", str(folder), STOCK, "2800")
    said("virtual reset-pad", str(folder), STOCK)


def test_unrecognised_command_still_gets_a_document(capsys: pytest.CaptureFixture[str]) -> None:
    """--json holds for usage errors too."""
    assert run(["no-such-command", "--json"]) == 2
    assert_fits(json.loads(capsys.readouterr().out), "envelope")
