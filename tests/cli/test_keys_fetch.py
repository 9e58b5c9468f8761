"""`mitherm keys fetch` against a server that plays the account service."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fake_xiaomi import ACCOUNT, BEACON_KEY, PASSWORD, SSECURITY, THERMOMETER, TOKEN_COOKIE, Mood, service
from helpers import assert_document
from mitherm.cli.app import run

SECRETS = (THERMOMETER["token"], BEACON_KEY)
LOGIN_SECRETS = (PASSWORD, TOKEN_COOKIE, "pass-token", SSECURITY.hex())


class Keyboard(io.StringIO):
    """stdin of a person."""

    def isatty(self) -> bool:
        return True


Fetch = Callable[..., tuple[int, str, str]]


@pytest.fixture
def fetch(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Fetch:
    """Runs the command in a mood of the service; exit code, stdout, stderr."""

    def run_it(mood: Mood, *arguments: str, stdin: io.StringIO | None = None) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.stdin", Keyboard() if stdin is None else stdin)
        monkeypatch.setattr("time.sleep", lambda seconds: None)
        with service(mood) as base:
            monkeypatch.setenv("MITHERM_CLOUD_URL", base)
            code = run(["keys", "fetch", *arguments])
        said = capsys.readouterr()
        assert mood.wrong == []
        return code, said.out, said.err

    return run_it


def result(out: str) -> dict[str, Any]:
    document = assert_document(out, "keys fetch")
    found: dict[str, Any] = document["result"] if document["ok"] else document["error"]
    return found


def test_a_scan_fills_the_vault(fetch: Fetch, home: Path, caplog: pytest.LogCaptureFixture) -> None:
    """QR code and address on stderr, one document on stdout, keys in the vault, nothing of the login on disk or in logs."""
    caplog.set_level(logging.DEBUG)
    code, out, err = fetch(Mood(), "--json")
    (key,) = result(out)["keys"]
    assert code == 0 and result(out)["changed"] is True
    assert (key["address"], key["origin"], key["did"]) == (THERMOMETER["mac"], "account", THERMOMETER["did"])
    assert (key["name"], key["region"], key["new"]) == ("Bedroom", "de", True)
    assert "/longPolling/login?ticket=lp_1" in err and "▄" in err
    kept = "".join(path.read_text() for path in home.rglob("*.json*"))
    assert all(secret in kept for secret in SECRETS)
    assert not any(secret in kept for secret in LOGIN_SECRETS)
    assert not any(secret in out + err + caplog.text for secret in (*SECRETS, *LOGIN_SECRETS))


def test_again_changes_nothing(fetch: Fetch) -> None:
    """The same keys once more are success without change; new ones after re-adding are a new generation."""
    fetch(Mood(), "--json")
    assert result(fetch(Mood(), "--json")[1])["changed"] is False
    added = Mood(homes={"de": {"77": [THERMOMETER | {"token": "11" * 12}]}})
    assert result(fetch(added, "--json")[1])["keys"][0]["new"] is True


def test_revealed_when_asked(fetch: Fetch) -> None:
    """--reveal shows both keys."""
    (key,) = result(fetch(Mood(), "--reveal", "--json")[1])["keys"]
    assert (key["token"], key["bind_key"]) == SECRETS


def test_text_for_people(fetch: Fetch) -> None:
    """Which unit got keys, and no key."""
    code, out, _ = fetch(Mood())
    assert code == 0 and "Bedroom" in out and "new keys" in out
    assert not any(secret in out for secret in SECRETS)


def test_password_from_a_pipe(fetch: Fetch) -> None:
    """A script names the account and pipes the password."""
    arguments = ("--password", "--account", ACCOUNT, "--json")
    code, out, err = fetch(Mood(), *arguments, stdin=io.StringIO(PASSWORD + "\n"))
    assert code == 0 and len(result(out)["keys"]) == 1 and PASSWORD not in out + err


@pytest.mark.parametrize(
    ("arguments", "typed"),
    [((), ""), (("--password",), PASSWORD), (("--password", "--account", ACCOUNT), "")],
)
def test_nothing_is_asked_without_a_terminal(fetch: Fetch, arguments: tuple[str, ...], typed: str) -> None:
    """Exit 2 before anything is sent."""
    mood = Mood()
    code, out, _ = fetch(mood, *arguments, "--json", stdin=io.StringIO(typed))
    assert (code, result(out)["kind"], mood.asked) == (2, "AnswerNeeded", [])


def test_yes_starts_the_login_without_a_terminal(fetch: Fetch) -> None:
    """A program that shows our stderr to somebody may go on."""
    assert fetch(Mood(), "--yes", "--json", stdin=io.StringIO())[0] == 0


def test_second_factor_needs_a_person(fetch: Fetch) -> None:
    """From a pipe: exit 2 with the address to open; QR is the other way."""
    mood = Mood(second_factor="always")
    arguments = ("--password", "--account", ACCOUNT, "--json")
    code, out, _ = fetch(mood, *arguments, stdin=io.StringIO(PASSWORD + "\n"))
    assert code == 2 and "/identity/authStart?context=c1" in result(out)["hint"]


@pytest.mark.parametrize(
    ("mood", "code", "says"),
    [
        (Mood(homes={}), 5, "no Bluetooth thermometer in any region"),
        (Mood(expired=True), 5, "session"),
        (Mood(limited=True), 5, "limits how often"),
        (Mood(broken="503"), 6, "HTTP 503"),
    ],
)
def test_failures_have_their_exit_code(fetch: Fetch, mood: Mood, code: int, says: str) -> None:
    """What scripts branch on."""
    got, out, _ = fetch(mood, "--json")
    assert got == code and says in result(out)["message"]


def test_what_was_kept_back_is_told(fetch: Fetch) -> None:
    """A unit without bind key and a region that refuses are problems in the result."""
    mood = Mood(beacon_keys={}, unwilling_regions=frozenset({"ru"}))
    found = result(fetch(mood, "--json")[1])
    assert [problem.split(":")[0] for problem in found["problems"]] == ["no bind key for A4", "region ru"]


def test_one_region(fetch: Fetch) -> None:
    """--region asks that server alone."""
    mood = Mood()
    fetch(mood, "--region", "de", "--json")
    assert {asked.split("/")[1] for asked in mood.asked if "/app/" in asked} == {"de"}
