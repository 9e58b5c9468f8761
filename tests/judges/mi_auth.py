"""Judges of mi-auth-crypto, mi-auth-frames, mi-auth-register and mi-auth-login."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from mitherm.model.keys import did_record, did_text
from mitherm.primitives.crypto import private_key, public_point, shared_secret
from mitherm.protocol.mi_messages import LoginKeys, SetupKeys, open_did
from mitherm.protocol.parcel import (
    Ack,
    Acknowledge,
    Announce,
    Assembly,
    LinkParameters,
    Single,
    SingleDone,
    cut,
    decode,
)

from . import _mi_client_runs, _mi_replay
from ._mi_replay import Wrong, login_values, need, setup_values

Case = dict[str, Any]


def _each(check: Callable[[Case], None], document: Case) -> Iterator[tuple[str, str | None]]:
    for case in document["cases"]:
        try:
            check(case)
        except Wrong as wrong:
            yield case["name"], str(wrong)
        else:
            yield case["name"], None


# --- mi-auth-crypto ---------------------------------------------------------------------------------------------------

_NOTES = {"name", "kind", "note"}
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
    key = private_key(bytes.fromhex(case["app_private"]))
    secret = shared_secret(key, bytes.fromhex(case["device_public"]))
    need(secret is not None, "the device's key is not on the curve")
    keys = SetupKeys.derive(secret or b"")
    ours = (
        setup_values(keys)
        | _CONSTANTS
        | {"app_public": public_point(key).hex(), "shared_secret": (secret or b"").hex()}
    )
    given = {"app_private", "device_public"}
    if "did" in case:
        sealed = keys.seal_did(bytes.fromhex(case["did"]))
        ours["did_ciphertext_and_tag"] = sealed.hex()
        need(open_did(keys.did_key, sealed) == bytes.fromhex(case["did"]), "the DID does not decrypt")
        given.add("did")
    _compare(case, ours, given)


def _login(case: Case) -> None:
    given = ("token", "app_random", "device_random")
    keys = LoginKeys.derive(*(bytes.fromhex(case[name]) for name in given))
    _compare(case, login_values(keys), set(given))


def _did_record(case: Case) -> None:
    record = bytes.fromhex(case["record"])
    need(did_record(case["text"]) == record, f"record {did_record(case['text']).hex()}")
    need(did_text(record) == case["text"], f"text {did_text(record)}")


def _did_decrypt(case: Case) -> None:
    plain = open_did(bytes.fromhex(case["did_key"]), bytes.fromhex(case["parcel"]))
    need((plain is not None) == bool(case["accepted"]), "accepted and refused are swapped")
    if case.get("did") is not None and plain is not None:
        need(plain.hex() == case["did"], f"DID {plain.hex()}")


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


def _control(case: Case) -> None:
    raw = bytes.fromhex(case["hex"])
    frame = decode(raw)
    need(frame.to_bytes() == raw, f"encodes to {frame.to_bytes().hex()}")
    ours: Case = {"hex": case["hex"]}
    match frame:
        case Announce(kind, count):
            ours |= {"mode": "cmd", "type": kind, "frames": count}
        case Acknowledge(ack, lost):
            ours |= {"mode": "ack", "ack": Ack(ack).name.lower(), "lost": list(lost)}
        case Single(kind, data):
            ours |= {"mode": "single", "type": kind, "data": data.hex()}
        case SingleDone():
            ours |= {"mode": "single-ack", "ack": "success"}
        case LinkParameters(step, data, reply):
            ours |= {"mode": "link-reply" if reply else "link", "step": step, "data": data.hex()}
    for name, value in case.items():
        if name not in _NOTES:
            need(name in ours, f"no rule for the field {name}")
            spelled = value.replace("_", "-") if name == "mode" else value
            need(ours[name] == spelled, f"{name}: {ours[name]} instead of {value}")


# --- mi-auth-register, mi-auth-login ----------------------------------------------------------------------------------


def _exchange(case: Case) -> None:
    _mi_replay.check_values(case)
    _mi_replay.replay(case)
    _mi_client_runs.check(case)


def _area(check: Callable[[Case], None]) -> Callable[[Case], Iterator[tuple[str, str | None]]]:
    return lambda document: _each(check, document)


AREAS = {
    "mi-auth-crypto": _area(_crypto),
    "mi-auth-frames": _area(_frames),
    "mi-auth-register": _area(_exchange),
    "mi-auth-login": _area(_exchange),
}
