"""What the client of an authentication transcript did: its parcels at every verdict, and whether it took our road."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import zip_longest

from mitherm.errors import DecodeError
from mitherm.model.keys import DID_LENGTH, TOKEN_LENGTH, did_record, did_text
from mitherm.primitives.crypto import private_key, public_point, shared_secret
from mitherm.protocol.mi.messages import (
    DID_PARCEL_LENGTH,
    POINT_LENGTH,
    PROOF_LENGTH,
    RANDOM_LENGTH,
    LoginKeys,
    SetupKeys,
)
from mitherm.protocol.mi.parcel import PAYLOAD, Announce, Data, Frame, ParcelType, Single, decode

from ._cases import Case, need, unhex
from ._mi_replay import entries

LOSS = ("w-lost", "n-lost")

Parcels = dict[tuple[str, int], bytes]
"""(side, parcel type) -> the last complete parcel."""


def generation(case: Case) -> int:
    """The unit's authentication version."""
    number: int = case["device"].get("auth_generation", 1)
    return number


def starts(case: Case, opcode: str) -> bool:
    """Whether the recorded client ever wrote it."""
    return any(kind[0] == "w" and char == "0010" and value.startswith(opcode) for kind, char, value in entries(case))


def _verdicts(case: Case) -> Iterator[tuple[str, Parcels]]:
    """Every control-point value the unit notified, with the parcels complete by then; lost frames count."""
    done: Parcels = {}
    open_parcels: dict[str, tuple[Announce, dict[int, bytes]]] = {}
    for kind, char, value in entries(case):
        if kind[0] == "n" and char == "0010":
            yield value, dict(done)
        elif char == "0019":
            try:
                frame = decode(bytes.fromhex(value))
            except DecodeError:
                continue
            _collect(kind[0], frame, open_parcels, done)


def _collect(
    side: str, frame: Frame, open_parcels: dict[str, tuple[Announce, dict[int, bytes]]], done: Parcels
) -> None:
    """Without regard to the negotiated length of frames; of two with one number the longer one counts."""
    match frame:
        case Announce():
            open_parcels[side] = (frame, {})
        case Single(kind, data):
            done[side, kind] = data
        case Data(sn, payload) if side in open_parcels:
            header, parts = open_parcels[side]
            parts[sn] = max(parts.get(sn, b""), payload, key=len)
            wanted = range(1, header.count + 1)
            if all(number in parts for number in wanted):
                done[side, header.type] = b"".join(parts[number] for number in wanted)
        case _:
            pass


def check_successes(case: Case) -> None:
    """11 and 21 come only after parcels of right content, so there the recorded client must have sent ours."""
    for code, parcels in _verdicts(case):
        if code[:2] == "11" and generation(case) == 1:
            _check_setup(case, parcels)
        elif code[:2] == "21":
            _check_login(case, parcels)


def _check_setup(case: Case, parcels: Parcels) -> None:
    if "private_key" not in case["client"]:
        return
    key = private_key(bytes.fromhex(case["client"]["private_key"]))
    need(parcels["w", ParcelType.PUBLIC_KEY][:POINT_LENGTH] == public_point(key), "our public key differs")
    secret = shared_secret(key, parcels["n", ParcelType.PUBLIC_KEY]) or b""
    sealed = [SetupKeys.derive(secret).seal_did(did) for did in _recorded_dids(case)]
    need(parcels["w", ParcelType.DEVICE_INFO][:DID_PARCEL_LENGTH] in sealed, "our DID parcel differs")


def _check_login(case: Case, parcels: Parcels) -> None:
    randoms = parcels["w", ParcelType.APP_RANDOM], parcels["n", ParcelType.DEVICE_RANDOM]
    proofs = [LoginKeys.derive(token, *randoms).app_proof for token in tokens(case)]
    need(parcels["w", ParcelType.APP_PROOF][:PROOF_LENGTH] in proofs, "our proof differs")


def _recorded_dids(case: Case) -> list[bytes]:
    """DID records that the recorded client may have sent, the most likely first."""
    texts = (
        case["device"].get("did_record"),
        case["client"].get("new_did"),
        (case.get("intermediate") or {}).get("did_plain"),
        case["after"].get("did_record"),
    )
    return [bytes.fromhex(text) for text in texts if text]


def our_did(case: Case) -> bytes | None:
    """The DID record that our client sends: the stored one, or the invented one in the layout of Mi Home."""
    stored, known = unhex(case["device"].get("did_record")), _recorded_dids(case)
    if stored is not None and len(stored) == DID_LENGTH:
        return stored
    return did_record(did_text(known[0])) if known else None


def tokens(case: Case) -> list[bytes]:
    """Tokens that the case names, of the client or the unit."""
    named = [case["client"].get("token")]
    named += [(value or {}).get("token") for name, value in case.items() if name.endswith("intermediate")]
    records = [case["device"].get("key_record"), case["after"].get("key_record")]
    return [bytes.fromhex(text)[:TOKEN_LENGTH] for text in [*named, *records] if text]


# --- frame by frame ---------------------------------------------------------------------------------------------------

_ROADS = {"11": ["a2", "15", "13"], "e1": ["a2", "15"], "e3": ["a2", "15"]}


def canonical(case: Case) -> bool:
    """Whether the recorded client took our road: one clean connection, A2 before 15, no A4, no single frames."""
    transcript = entries(case)
    if any(kind in (*LOSS, "wait_ms", "disconnect") for kind, _, _ in transcript) or generation(case) == 2:
        return False
    codes = [value[:2] for kind, char, value in transcript if kind == "n" and char == "0010"]
    commands = [value.ljust(8, "0") for kind, char, value in transcript if kind == "w" and char == "0010"]
    expected = [f"{command}000000" for code in codes for command in _ROADS.get(code, ["24"])]
    return "12" not in codes and commands == expected and not _odd_did(case) and _one_random(case) and _tidy(case)


def _odd_did(case: Case) -> bool:
    known = _recorded_dids(case)
    return bool(known) and known[0] != our_did(case)


def _one_random(case: Case) -> bool:
    """Every login with the random that the case gives to the client."""
    random = unhex(case["client"].get("random"))
    sent = {parcels.get(("w", ParcelType.APP_RANDOM)) for _, parcels in _verdicts(case)}
    return sent <= {random, None}


_LENGTHS = {ParcelType.APP_RANDOM: RANDOM_LENGTH, ParcelType.APP_PROOF: PROOF_LENGTH}
_LENGTHS |= {ParcelType.PUBLIC_KEY: POINT_LENGTH, ParcelType.DEVICE_INFO: DID_PARCEL_LENGTH}


def _tidy(case: Case) -> bool:
    """A header behind each start, behind each header the frames of its parcel in order, 13 behind parcel 00."""
    writes = [(char, value) for kind, char, value in entries(case) if kind == "w"]
    header, data = Announce(0, 0), b""
    for (char, value), behind in zip_longest(writes, writes[1:], fillvalue=("", "")):
        try:
            frame = decode(bytes.fromhex(value)) if char == "0019" else None
        except DecodeError:
            return False
        if isinstance(frame, Announce):
            header, data = frame, b""
        elif isinstance(frame, Data):
            if frame.sn != len(data) // PAYLOAD + 1:
                return False
            data += frame.payload
            if frame.sn == header.count and len(data) != _LENGTHS.get(ParcelType(header.type)):
                return False
        elif value[:2] in ("15", "24", "13"):
            complete = (header.type, len(data)) == (ParcelType.DEVICE_INFO, DID_PARCEL_LENGTH)
            if not (complete if value[:2] == "13" else behind[1].startswith("000000")):
                return False
    return True
