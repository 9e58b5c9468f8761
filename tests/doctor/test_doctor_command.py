"""The command: documents, text, report, exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from helpers import assert_document
from mitherm.cli.app import run

FLASHED = "A4:C1:38:00:00:02"


@pytest.fixture
def radio(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> tuple[str, str]:
    """A healthy unit and one that a web flasher activated."""
    units = ["--unit", "stock-1.0.0_0130", "--unit", "stock-1.0.0_0130,bound=flasher"]
    assert run(["virtual", "create", str(tmp_path / "units"), *units]) == 0
    capsys.readouterr()
    return "--radio", f"virtual:{tmp_path / 'units'}"


def test_document_of_one_unit(radio: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    """Findings are data: exit 0, and the shape of the contract."""
    assert run(["doctor", FLASHED, *radio, "--json"]) == 0
    result = assert_document(capsys.readouterr().out, "doctor")["result"]
    assert [finding["id"] for finding in result["findings"]] == ["mi-home-29/3"]
    assert result["findings"][0]["command"] == f"mitherm bring {FLASHED} --to mi-home-ready"
    assert result["units"] == [FLASHED]


def test_document_of_the_fleet(radio: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    """Without UNIT all units that are heard are examined."""
    assert run(["doctor", *radio, "--json"]) == 0
    result = assert_document(capsys.readouterr().out, "doctor")["result"]
    assert len(result["units"]) == 2
    assert [finding["unit"] for finding in result["findings"]] == [FLASHED]


def test_text_has_evidence_and_command(radio: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    """A person reads id, reasons, remedy, and a line to copy."""
    assert run(["doctor", FLASHED, *radio, "--symptom", "-29"]) == 0
    text = capsys.readouterr().out
    assert text.startswith("mi-home-29/3")
    assert "  - the unit reports the DID" in text
    assert f"  $ mitherm bring {FLASHED} --to mi-home-ready" in text


def test_healthy_unit(radio: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    """It says so, and how to tell more."""
    assert run(["doctor", "a4c138000001", *radio]) == 0
    said = capsys.readouterr()
    assert "Nothing is wrong" in said.out
    assert "--symptom" in said.err


def test_report_file(radio: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """--bundle writes it."""
    file = tmp_path / "report.json"
    assert run(["doctor", *radio, "--bundle", str(file), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["result"]["bundle"] == str(file)
    assert json.loads(file.read_text())["report"] == "mitherm doctor"
    assert run(["doctor", *radio, "--bundle", str(tmp_path / "no" / "report.json")]) == 1


def test_unknown_symptom_is_a_usage_error(radio: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 2 with examples."""
    assert run(["doctor", *radio, "--symptom", "xyzzy", "--json"]) == 2
    assert "-29" in json.loads(capsys.readouterr().out)["error"]["hint"]


def test_no_radio_at_all(capsys: pytest.CaptureFixture[str]) -> None:
    """The host's trouble is a finding, not a failure; here the radio is whatever this machine has."""
    assert run(["doctor", "--duration", "0.1", "--json"]) == 0
    assert_document(capsys.readouterr().out, "doctor")
