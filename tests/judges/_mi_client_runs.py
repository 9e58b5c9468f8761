"""The client's direction of the authentication transcripts.

Three things are checked. The parcels that the recorded client sent are those we would send (unless the case is about a
client that misbehaves). Our client, run against our unit in the recorded initial state with the same keys and the same
lost frames, comes to the recorded end. Where the recorded client behaves like ours, it writes the same frames.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

from mitherm.errors import KeysMismatch, KeysMissing, LinkTimeout, MiAuthRefused, MithermError
from mitherm.model.keys import MiKeys, did_record, did_text
from mitherm.primitives.crypto import point_key, private_key, public_point, shared_secret
from mitherm.primitives.secret import Secret
from mitherm.protocol import mi_client
from mitherm.protocol.effects import Procedure
from mitherm.protocol.mi_messages import LoginKeys, SetupKeys
from mitherm.protocol.parcel import Announce, Assembly, Data, ParcelType, Single, decode

from ._mi_pump import Pump
from ._mi_replay import CHARACTERISTICS, REGISTRATION_CODES, Case, build, need, unhex

LOSS = ("w-lost", "n-lost")
ATTEMPTS = 3


def check(case: Case) -> None:
    """Raises Wrong."""
    faithful = _check_parcels(case)
    codes = [entry[2] for entry in case["transcript"] if entry[0][0] == "n" and entry[1] == "0010"]
    if case["device"]["auth_generation"] == 2 and "private_key" in case["client"] and _starts(case, "15"):
        return _check_second_generation(case)
    pump, wrote = _run(case, codes, faithful)
    if faithful and codes and pump.device.authorised != case["after"]["authorized"]:
        need(False, f"after our client authorised is {pump.device.authorised}")
    if faithful and _canonical(case, codes):
        _compare_writes(case, wrote, codes)
    return None


# --- what the recorded client sent ------------------------------------------------------------------------------------


def _parcels(case: Case, side: str) -> dict[int, bytes]:
    """The last complete parcel of each type that one side ("w" or "n") sent, lost frames included."""
    found: dict[int, bytes] = {}
    kind, parts = 0, Assembly(0)
    for entry in case["transcript"]:
        if entry[0][0] != side or entry[0] == "wait_ms" or entry[1] != "0019":
            continue
        match decode(bytes.fromhex(entry[2])):
            case Announce(announced, count):
                kind, parts = announced, Assembly(count)
            case Single(single, data):
                found[single] = data
            case Data() as frame if parts.count:
                parts.add(frame)
                if not parts.missing:
                    found[kind] = parts.data
    return found


def _check_parcels(case: Case) -> bool:
    """Whether the recorded client sent what ours sends; wrong content is only right where the unit refused it."""
    sent, heard = _parcels(case, "w"), _parcels(case, "n")
    ours = _setup_parcels(case, heard) | _login_parcels(case, sent, heard)
    different = [ParcelType(kind).name for kind, data in sent.items() if kind in ours and ours[kind] != data]
    verdicts = case["codes"] if "codes" in case else [case["result"]]
    refused = not verdicts or not {None, "12000000", "23000000"}.isdisjoint(verdicts)
    need(not different or refused or _odd_did(case), f"our parcels differ: {different}")
    public = sent.get(ParcelType.PUBLIC_KEY)
    return not (different or _starts(case, "14") or (public and point_key(public) is None))


def _did(case: Case) -> bytes | None:
    """The DID record that our client would send."""
    stored = unhex(case["device"].get("did_record"))
    invented = unhex(case["client"].get("new_did") or (case.get("intermediate") or {}).get("did_plain"))
    return stored or (did_record(did_text(invented)) if invented else None)


def _odd_did(case: Case) -> bool:
    """A recorded client that lays out its invented DID in another way than Mi Home."""
    invented = unhex(case["client"].get("new_did"))
    return invented is not None and invented != _did(case)


def _setup_parcels(case: Case, heard: dict[int, bytes]) -> dict[int, bytes]:
    client = case["client"]
    if "private_key" not in client:
        return {}
    key = private_key(bytes.fromhex(client["private_key"]))
    parcels = {int(ParcelType.PUBLIC_KEY): public_point(key)}
    point, did = heard.get(ParcelType.PUBLIC_KEY), _did(case)
    secret = shared_secret(key, point) if point else None
    if secret and did and case["device"]["auth_generation"] == 1:
        parcels[ParcelType.DEVICE_INFO] = SetupKeys.derive(secret).seal_did(did)
    return parcels


def _login_parcels(case: Case, sent: dict[int, bytes], heard: dict[int, bytes]) -> dict[int, bytes]:
    token, device_random = _token(case), heard.get(ParcelType.DEVICE_RANDOM)
    app_random = sent.get(ParcelType.APP_RANDOM)
    if token is None or app_random is None or device_random is None:
        return {}
    keys = LoginKeys.derive(token, app_random, device_random)
    return {
        ParcelType.APP_RANDOM: unhex(case["client"].get("random")) or app_random,
        ParcelType.APP_PROOF: keys.app_proof,
    }


def _token(case: Case) -> bytes | None:
    """The token that the recorded client held at its last login."""
    given = case["client"].get("token") or (case.get("login_intermediate") or {}).get("token")
    return unhex(given)


def _starts(case: Case, opcode: str) -> bool:
    return any(
        entry[0][0] == "w" and entry[1] == "0010" and entry[2].startswith(opcode) for entry in case["transcript"]
    )


# --- our client in the same situation ---------------------------------------------------------------------------------


def _losses(case: Case) -> Callable[[str, str, bytes], bool]:
    """Drops each recorded lost frame once."""
    lost = [
        (entry[0][0], CHARACTERISTICS[entry[1]], bytes.fromhex(entry[2]))
        for entry in case["transcript"]
        if entry[0] in LOSS
    ]

    def lossy(way: str, char: str, data: bytes) -> bool:
        if (way, char, data) not in lost:
            return False
        lost.remove((way, char, data))
        return True

    return lossy


def _entropy(case: Case) -> Callable[[int], bytes]:
    client = case["client"]
    given = {32: unhex(client.get("private_key")), 16: unhex(client.get("random"))}
    return lambda length: given.get(length) or bytes(range(length))


def _run(case: Case, codes: list[str], faithful: bool) -> tuple[Pump, list[tuple[str, bytes]]]:
    """Our client does what the recorded one did, procedure by procedure."""
    device, records = build(case["device"])
    pump = Pump(device, _losses(case))
    logins = [position for position, code in enumerate(codes) if code[:2] not in REGISTRATION_CODES]
    for position, code in enumerate(codes):
        if position in logins:
            last = position == logins[-1]
            _login(case, pump, code if faithful or not last else "21000000", last)
        else:
            _registration(case, pump, code if faithful else "11000000")
            if faithful and code[:2] == "11" and "private_key" in case["client"]:
                need(records == _final_records(case), f"our client leaves other records: {records}")
    return pump, pump.writes


def _final_records(case: Case) -> dict[int, bytes]:
    named = {1: unhex(case["after"]["did_record"]), 0x10: unhex(case["after"]["key_record"]), 4: bytes(4)}
    return {number: data for number, data in named.items() if data is not None}


def _outcome(pump: Pump, procedure: Callable[[], Procedure[Any]]) -> MithermError | MiKeys | None:
    """Result or error; a timeout is met by connecting anew, as our product does."""
    for _ in range(ATTEMPTS):
        try:
            result: MiKeys | None = pump.run(procedure())
            return result
        except LinkTimeout:
            pump.reconnect()
        except MithermError as problem:
            if not isinstance(problem, MiAuthRefused):
                pump.reconnect()
            return problem
    return LinkTimeout("three times")


def _registration(case: Case, pump: Pump, code: str) -> None:
    did = _did(case)
    text = None if did is None else did_text(did)
    outcome = _outcome(pump, lambda: mi_client.register(_entropy(case), did_if_none=text))
    if code[:2] == "11":
        need(isinstance(outcome, MiKeys) and pump.codes[-1] == 0x11, f"register: {outcome!r}")
        need(pump.kept[-1] == outcome, "the keys were not kept")
    else:
        refused = isinstance(outcome, MiAuthRefused) and outcome.code == int(code[:2], 16)
        need(refused, f"register: {outcome!r} instead of {code}")


def _login(case: Case, pump: Pump, code: str, last: bool) -> None:
    held = _token(case) or (pump.kept[-1].token.reveal() if pump.kept else bytes(12))  # type: ignore[attr-defined]
    token = held if last or code[:2] != "23" else bytes(12)
    outcome = _outcome(pump, lambda: mi_client.login(Secret(token), _entropy(case)))
    expected = int(code[:2], 16)
    if expected in (0x21, 0xE2):
        need(outcome is None and pump.codes[-1] in (0x21, 0xE2), f"login: {outcome!r} instead of {code}")
    elif expected == 0x23:
        need(isinstance(outcome, KeysMismatch), f"login with a wrong token: {outcome!r}")
    else:
        need(isinstance(outcome, MiAuthRefused) and outcome.code == expected, f"login: {outcome!r} instead of {code}")


def _check_second_generation(case: Case) -> None:
    """Our client never starts a registration that cannot work."""
    device, records = build(case["device"])
    pump = Pump(device)
    outcome = _outcome(pump, lambda: mi_client.register(_entropy(case)))
    need(isinstance(outcome, KeysMissing), f"register on generation 2: {outcome!r}")
    need(not records.written and not pump.kept, "keys were made up for generation 2")


# --- frame by frame ---------------------------------------------------------------------------------------------------


def _canonical(case: Case, codes: list[str]) -> bool:
    """Whether the recorded client took our road: one clean connection, A2 before 15, no A4, no single frames."""
    transcript = case["transcript"]
    if any(entry[0] in (*LOSS, "wait_ms", "disconnect") for entry in transcript) or _starts(case, "a4"):
        return False
    commands = [entry[2][:2] for entry in transcript if entry[0] == "w" and entry[1] == "0010"]
    road = {"11": ["a2", "15", "13"], "12": ["a2", "15", "13"], "e1": ["a2", "15"], "e3": ["a2", "15"]}
    expected = [command for code in codes for command in road.get(code[:2], ["24"])]
    single = any(entry[0] == "w" and entry[1] == "0019" and entry[2].startswith("00000002") for entry in transcript)
    early = any(
        entry[1] == "0010" and entry[2].startswith("13") and after[1] != "0010" for entry, after in pairwise(transcript)
    )
    return commands == expected and not single and not early and "23" not in [code[:2] for code in codes[:-1]]


def _compare_writes(case: Case, wrote: list[tuple[str, bytes]], codes: list[str]) -> None:
    theirs = [
        (CHARACTERISTICS[entry[1]], bytes.fromhex(entry[2]).ljust(4 if entry[1] == "0010" else 0, b"\0"))
        for entry in case["transcript"]
        if entry[0] == "w"
    ]
    if codes and codes[-1][:2] == "23":
        # We stop at the unit's wrong proof; the recorded client went on.
        theirs = theirs[: len(wrote)]
    need(wrote == theirs, f"our client writes {[data.hex() for _, data in wrote]}")
