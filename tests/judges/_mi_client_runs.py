"""The client's direction of the authentication transcripts.

Three things are checked. What the recorded client sent before a success is what we would send. Our client, run against
our unit in the recorded initial state with the same keys and the same lost frames, comes to the recorded ends. Where
the recorded client behaves like ours, it writes our frames.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from mitherm.errors import DecodeError, KeysMismatch, KeysMissing, LinkTimeout, MiAuthRefused, MithermError
from mitherm.model.keys import TOKEN_LENGTH, MiKeys, did_record, did_text
from mitherm.primitives.crypto import private_key, public_point, shared_secret
from mitherm.primitives.secret import Secret
from mitherm.protocol import mi_client
from mitherm.protocol.effects import Procedure
from mitherm.protocol.mi_device import COUNTER_RECORD, DID_RECORD, KEY_RECORD
from mitherm.protocol.mi_messages import LoginKeys, SetupKeys
from mitherm.protocol.parcel import Announce, Assembly, Data, ParcelType, Single, decode

from ._cases import Case, need, unhex
from ._mi_pump import Pump
from ._mi_replay import CHARACTERISTICS, REGISTRATION_CODES, build, entries, io_mask

LOSS = ("w-lost", "n-lost")
ATTEMPTS = 3

Parcels = dict[tuple[str, int], bytes]
"""(side, parcel type) -> the last complete parcel."""


def check(case: Case) -> None:
    """Raises Wrong."""
    _check_successes(case)
    if _generation(case) == 2 and _starts(case, "15"):
        _check_second_generation(case)
    _Imitation(case).run()


def _generation(case: Case) -> int:
    generation: int = case["device"].get("auth_generation", 1)
    return generation


def _starts(case: Case, opcode: str) -> bool:
    return any(kind[0] == "w" and char == "0010" and value.startswith(opcode) for kind, char, value in entries(case))


# --- what the recorded client sent ------------------------------------------------------------------------------------


def _verdicts(case: Case) -> Iterator[tuple[str, Parcels]]:
    """Every control-point value the unit notified, with the parcels complete by then; lost frames count."""
    done: Parcels = {}
    open_parcels: dict[str, tuple[int, Assembly]] = {}
    for kind, char, value in entries(case):
        if kind[0] == "n" and char == "0010":
            yield value, dict(done)
        elif char == "0019":
            try:
                frame = decode(bytes.fromhex(value))
            except DecodeError:
                continue
            _collect(kind[0], frame, open_parcels, done)


def _collect(side: str, frame: object, open_parcels: dict[str, tuple[int, Assembly]], done: Parcels) -> None:
    match frame:
        case Announce(kind, count):
            open_parcels[side] = (kind, Assembly(count))
        case Single(kind, data):
            done[side, kind] = data
        case Data() if side in open_parcels:
            kind, parts = open_parcels[side]
            parts.add(frame)
            if parts.count and not parts.missing:
                done[side, kind] = parts.data
        case _:
            pass


def _check_successes(case: Case) -> None:
    """11 and 21 come only after parcels of right content, so there the recorded client must have sent ours."""
    for code, parcels in _verdicts(case):
        if code[:2] == "11" and _generation(case) == 1:
            _check_setup(case, parcels)
        elif code[:2] == "21":
            _check_login(case, parcels)


def _check_setup(case: Case, parcels: Parcels) -> None:
    if "private_key" not in case["client"]:
        return
    key = private_key(bytes.fromhex(case["client"]["private_key"]))
    need(parcels["w", ParcelType.PUBLIC_KEY] == public_point(key), "our public key differs")
    secret = shared_secret(key, parcels["n", ParcelType.PUBLIC_KEY]) or b""
    sealed = [SetupKeys.derive(secret).seal_did(did) for did in _recorded_dids(case)]
    need(parcels["w", ParcelType.DEVICE_INFO] in sealed, "our DID parcel differs")


def _check_login(case: Case, parcels: Parcels) -> None:
    randoms = parcels["w", ParcelType.APP_RANDOM], parcels["n", ParcelType.DEVICE_RANDOM]
    proofs = [LoginKeys.derive(token, *randoms).app_proof for token in _tokens(case)]
    need(parcels["w", ParcelType.APP_PROOF] in proofs, "our proof differs")


def _recorded_dids(case: Case) -> list[bytes]:
    """DID records that the recorded client may have sent, the most likely first."""
    texts = (
        case["device"].get("did_record"),
        case["client"].get("new_did"),
        (case.get("intermediate") or {}).get("did_plain"),
        case["after"].get("did_record"),
    )
    return [bytes.fromhex(text) for text in texts if text]


def _did(case: Case) -> bytes | None:
    """The DID record that our client sends: the stored one, or the invented one in the layout of Mi Home."""
    known = _recorded_dids(case)
    return did_record(did_text(known[0])) if known else None


def _tokens(case: Case) -> list[bytes]:
    """Tokens that the case names, of the client or the unit."""
    named = [case["client"].get("token")]
    named += [(value or {}).get("token") for name, value in case.items() if name.endswith("intermediate")]
    records = [case["device"].get("key_record"), case["after"].get("key_record")]
    return [bytes.fromhex(text)[:TOKEN_LENGTH] for text in [*named, *records] if text]


# --- our client in the same situation ---------------------------------------------------------------------------------


def _losses(case: Case) -> Callable[[str, str, bytes], bool]:
    """Drops each recorded lost frame once."""
    lost = [
        (kind[0], CHARACTERISTICS[char], bytes.fromhex(value)) for kind, char, value in entries(case) if kind in LOSS
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


class _Imitation:
    """Our client does what the recorded one did, verdict by verdict and link by link."""

    def __init__(self, case: Case) -> None:
        device, self.records = build(case["device"], again=True)
        self.pump = Pump(device, _losses(case))
        self._case = case

    def run(self) -> None:
        """Raises Wrong."""
        for kind, char, value in entries(self._case):
            if kind == "disconnect":
                self.pump.reconnect()
            elif kind[0] == "n" and char == "0010":
                self._reach(value)
        lossless = not any(kind in LOSS for kind, _, _ in entries(self._case))
        authorised = self.pump.device.authorised
        need(
            not lossless or authorised == self._case["after"]["authorized"],
            f"after our client authorised is {authorised}",
        )
        if _canonical(self._case):
            _compare_writes(self._case, self.pump.writes)

    def _reach(self, code: str) -> None:
        number = int(code[:2], 16)
        if code[:2] not in REGISTRATION_CODES:
            self._login(number)
        elif _generation(self._case) == 1:
            self._register(number)

    def _register(self, code: int) -> None:
        """12 is the fault of the recorded client: ours succeeds in the same place."""
        if code == 0x12:
            fresh, _ = build(self._case["device"], again=True)
            if not io_mask(self._case["device"]):
                self._registered(Pump(fresh))
            return
        if code == 0x11:
            self._registered(self.pump)
            self._check_records()
            return
        outcome = _outcome(self.pump, self._registration)
        need(
            isinstance(outcome, MiAuthRefused) and outcome.code == code, f"register: {outcome!r} instead of {code:02x}"
        )

    def _registration(self) -> Procedure[MiKeys]:
        did = _did(self._case)
        return mi_client.register(_entropy(self._case), did_if_none=None if did is None else did_text(did))

    def _registered(self, pump: Pump) -> None:
        outcome = _outcome(pump, self._registration)
        need(isinstance(outcome, MiKeys) and pump.codes[-1] == 0x11, f"register: {outcome!r}")
        need(pump.kept[-1] == outcome, "the keys were not kept")

    def _check_records(self) -> None:
        """As recorded, but for a DID that the recorded client lays out in another way than Mi Home."""
        after = self._case["after"]
        wanted = {KEY_RECORD: unhex(after["key_record"]), COUNTER_RECORD: bytes(4), DID_RECORD: _did(self._case)}
        if "private_key" in self._case["client"]:
            need(self.records == wanted, f"our client leaves other records: {self.records}")

    def _login(self, code: int) -> None:
        record = self.records.find(KEY_RECORD) or bytes(TOKEN_LENGTH)
        right = record[:TOKEN_LENGTH]
        if code == 0x23:
            wrong = next((token for token in _tokens(self._case) if token != right), bytes(byte ^ 1 for byte in right))
            outcome = self._logged_in(wrong)
            need(isinstance(outcome, KeysMismatch), f"login with a wrong token: {outcome!r}")
        elif code in (0x21, 0xE2):
            need(right in _tokens(self._case), "the unit holds a token that the case does not name")
            outcome = self._logged_in(right)
            need(outcome is None and self.pump.codes[-1] in (0x21, 0xE2), f"login: {outcome!r} instead of {code:02x}")
        else:
            outcome = self._logged_in(right)
            need(
                isinstance(outcome, MiAuthRefused) and outcome.code == code, f"login: {outcome!r} instead of {code:02x}"
            )

    def _logged_in(self, token: bytes) -> MithermError | MiKeys | None:
        return _outcome(self.pump, lambda: mi_client.login(Secret(token), _entropy(self._case)))


def _check_second_generation(case: Case) -> None:
    """Our client never starts a registration that cannot work."""
    device, records = build(case["device"], again=True)
    pump = Pump(device)
    outcome = _outcome(pump, lambda: mi_client.register(_entropy(case)))
    need(isinstance(outcome, KeysMissing), f"register on generation 2: {outcome!r}")
    need(not records.written and not pump.kept, "keys were made up for generation 2")


# --- frame by frame ---------------------------------------------------------------------------------------------------

_ROADS = {"11": ["a2", "15", "13"], "e1": ["a2", "15"], "e3": ["a2", "15"]}


def _canonical(case: Case) -> bool:
    """Whether the recorded client took our road: one clean connection, A2 before 15, no A4, no single frames."""
    transcript = entries(case)
    if any(kind in (*LOSS, "wait_ms", "disconnect") for kind, _, _ in transcript) or _generation(case) == 2:
        return False
    codes = [value[:2] for kind, char, value in transcript if kind == "n" and char == "0010"]
    commands = [value.ljust(8, "0") for kind, char, value in transcript if kind == "w" and char == "0010"]
    expected = [f"{command}000000" for code in codes for command in _ROADS.get(code, ["24"])]
    return "12" not in codes and commands == expected and not _odd_did(case) and _one_random(case) and not _early(case)


def _odd_did(case: Case) -> bool:
    known = _recorded_dids(case)
    return bool(known) and known[0] != _did(case)


def _one_random(case: Case) -> bool:
    """Every login with the random that the case gives to the client."""
    random = unhex(case["client"].get("random"))
    sent = {parcels.get(("w", ParcelType.APP_RANDOM)) for _, parcels in _verdicts(case)}
    return sent <= {random, None}


def _early(case: Case) -> bool:
    """13 before the DID parcel was complete."""
    transcript = entries(case)
    places = [place for place, (_, _, value) in enumerate(transcript) if value.startswith("13000000")]
    return any(transcript[place + 1 : place + 2] and transcript[place + 1][1] != "0010" for place in places)


def _compare_writes(case: Case, wrote: Iterable[tuple[str, bytes]]) -> None:
    """Ours in the same order among theirs: they may say more, and go on where we stop (wrong proof)."""
    theirs = iter(
        (CHARACTERISTICS[char], bytes.fromhex(value).ljust(4 if char == "0010" else 0, b"\0"))
        for kind, char, value in entries(case)
        if kind == "w"
    )
    missing = [data.hex() for char, data in wrote if (char, data) not in theirs]
    need(not missing, f"our client writes {missing}, which the recorded one does not")
