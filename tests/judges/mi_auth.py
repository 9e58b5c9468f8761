"""Judges of mi-auth-crypto, mi-auth-frames, mi-auth-register and mi-auth-login."""

from __future__ import annotations

from typing import TypeVar

from mitherm.model.keys import did_record, did_text
from mitherm.primitives.crypto import private_key, public_point, shared_secret
from mitherm.protocol.mi.messages import LoginKeys, SetupKeys, open_did
from mitherm.protocol.mi.parcel import (
    Ack,
    Acknowledge,
    Announce,
    Assembly,
    LinkParameters,
    Single,
    SingleAck,
    cut,
    decode,
)

from . import _mi_client_runs, _mi_replay
from ._cases import Case, Wrong, each, need, unhex
from ._mi_replay import login_values, setup_values

_T = TypeVar("_T")

# --- mi-auth-crypto ---------------------------------------------------------------------------------------------------

_NOTES = {"name", "kind", "note", "what", "why"}
_CONSTANTS = {"nonce": "101112131415161718191a1b", "aad": b"devID".hex()}


def _crypto(case: Case) -> None:
    kinds = {"setup": _setup, "login": _login, "did-record": _did_record, "did-decrypt": _did_decrypt}
    need(case["kind"] in kinds, f"unknown kind {case['kind']}")
    kinds[case["kind"]](case)


def _compare(case: Case, ours: dict[str, str], given: set[str]) -> None:
    """Every field of the case is an input or is produced by us."""
    for name, value in case.items():
        if name not in _NOTES | given:
            need(name in ours, f"no rule for the field {name}")
            need(ours[name] == value, f"{name}: {ours[name]} instead of {value}")


def _setup(case: Case) -> None:
    """From the app's side; from the unit's too where its private key is given."""
    key = private_key(bytes.fromhex(case["app_private"]))
    given = {"app_private", "device_private", "device_public"} & case.keys()
    unit = private_key(bytes.fromhex(case["device_private"])) if "device_private" in case else None
    point = bytes.fromhex(case["device_public"]) if "device_public" in case else public_point(_needed(unit))
    secret = _needed(shared_secret(key, point))
    if unit is not None:
        need(public_point(unit) == point, "the unit's public key differs")
        need(shared_secret(unit, public_point(key)) == secret, "the unit gets another secret")
    keys = SetupKeys.derive(secret)
    ours = setup_values(keys) | _CONSTANTS | {"app_public": public_point(key).hex(), "shared_secret": secret.hex()}
    if "did" in case:
        sealed = keys.seal_did(bytes.fromhex(case["did"]))
        ours |= {"did_ciphertext_and_tag": sealed.hex(), "did_parcel": sealed.hex(), "did": case["did"]}
        need(open_did(keys.did_key, sealed) == bytes.fromhex(case["did"]), "the DID does not decrypt")
    _compare(case, ours, given)


def _needed(value: _T | None) -> _T:
    if value is None:
        raise Wrong("the unit's key is missing or not on the curve")
    return value


def _login(case: Case) -> None:
    given = ("token", "app_random", "device_random")
    keys = LoginKeys.derive(*(bytes.fromhex(case[name]) for name in given))
    _compare(case, login_values(keys), set(given))


def _did_record(case: Case) -> None:
    """A text that is empty or too long has no record."""
    try:
        record = did_record(case["text"])
    except ValueError:
        record = None
    need(record == unhex(case["record"]), f"record {record!r}")
    if record is not None:
        need(did_text(record) == case["text"], f"text {did_text(record)}")


def _did_decrypt(case: Case) -> None:
    plain = open_did(bytes.fromhex(case["did_key"]), bytes.fromhex(case["parcel"]))
    need((plain is not None) == bool(case["accepted"]), "accepted and refused are swapped")
    if case.get("did") is not None and plain is not None:
        need(case["did"] in (plain.hex(), did_text(plain)), f"DID {plain.hex()}")


# --- mi-auth-frames ---------------------------------------------------------------------------------------------------


def _frames(case: Case) -> None:
    need(case["kind"] in ("parcel", "control"), f"unknown kind {case['kind']}")
    (_parcel if case["kind"] == "parcel" else _control)(case)


def _parcel(case: Case) -> None:
    data, payload = bytes.fromhex(case["data"]), case["frame_payload"]
    frames = cut(data, payload)
    need([frame.to_bytes().hex() for frame in frames] == case["frames"], "other frames")
    need(Announce(case["type"], len(frames)).to_bytes().hex() == case["header"], "other header")
    header = decode(bytes.fromhex(case["header"]))
    need(header == Announce(case["type"], len(frames)), f"header read as {header}")
    parts = Assembly(len(frames), payload)
    decoded = [decode(bytes.fromhex(raw)) for raw in reversed(case["frames"])]
    need(all(parts.add(frame) for frame in decoded if frame in frames), "a frame was not taken")
    need(not parts.missing and parts.data == data, "the frames give other data")


_MODES = (("cmd",), ("ack",), ("single",), ("single-ack", "ack-single"), ("link",), ("link-reply", "link-ack"))
"""What the vectors call the modes 0 to 5, or how that name begins."""
_UNNAMED = 2
"""From this mode on the vectors may give the fields names of their own."""


def _control(case: Case) -> None:
    raw = bytes.fromhex(case["hex"])
    frame = decode(raw)
    need(frame.to_bytes() == raw, f"encodes to {frame.to_bytes().hex()}")
    ours: Case = {"hex": case["hex"]}
    match frame:
        case Announce(kind, count):
            ours |= {"type": kind, "frames": count}
        case Acknowledge(ack, lost):
            ours |= {"ack": Ack(ack).name.lower(), "lost": list(lost)}
        case Single(kind, data):
            ours |= {"type": kind, "data": data.hex()}
        case SingleAck():
            ours |= {"ack": "success"}
        case LinkParameters(step, data, _):
            ours |= {"step": step, "type": step, "data": data.hex()}
    for name, value in case.items():
        if name == "mode":
            need(_is_mode(raw[2], value), f"mode: {raw[2]} instead of {value}")
        elif name in ours:
            need(ours[name] == value, f"{name}: {ours[name]} instead of {value}")
        elif name not in _NOTES:
            need(raw[2] >= _UNNAMED and _holds(raw[3:], value), f"no rule for the field {name}")


def _holds(raw: bytes, value: object) -> bool:
    """Whether a field that has no name in the documents is a byte, or a part, of the frame."""
    return value in raw if isinstance(value, int) else isinstance(value, str) and value in raw.hex()


def _is_mode(mode: int, name: str | int) -> bool:
    if isinstance(name, int):
        return name == mode
    spelled = name.lower().replace("_", "-").replace(" ", "-")
    fitting = [(len(word), number) for number, words in enumerate(_MODES) for word in words if spelled.startswith(word)]
    return not fitting or max(fitting)[1] == mode


# --- mi-auth-register, mi-auth-login ----------------------------------------------------------------------------------


def _exchange(case: Case) -> None:
    _mi_replay.check_values(case)
    _mi_replay.replay(case)
    _mi_client_runs.check(case)


AREAS = {
    "mi-auth-crypto": each(_crypto),
    "mi-auth-frames": each(_frames),
    "mi-auth-register": each(_exchange),
    "mi-auth-login": each(_exchange),
}
