"""The unit's direction of the authentication transcripts: every notification in order, then the state that remains."""

from __future__ import annotations

from collections import deque

from mitherm.primitives.crypto import private_key, public_point, shared_secret
from mitherm.protocol.effects import Notification
from mitherm.protocol.mi.messages import LoginKeys, SetupKeys
from mitherm.protocol.uuids import MI_CONTROL, MI_PARCELS
from mitherm.virtual.reactors.mi_device import DID_RECORD, KEY_RECORD, MiDevice

from ._cases import Case, Wrong, need, unhex
from ._mi_pump import Records

Entry = tuple[str, str, str]
"""Kind, characteristic (empty where there is none), value."""

CHARACTERISTICS = {"0010": MI_CONTROL, "0019": MI_PARCELS}
REGISTRATION_CODES = ("11", "12", "e1", "e3")
TICK_S = 0.010
_THROUGH = bytes.fromhex("00000100")
PATIENCE_TICKS = 60
"""How long a notification may take when the transcript mentions no waiting."""
SLACK_TICKS = 3
"""How late it may be after the time that the transcript gives it."""


def entries(case: Case) -> list[Entry]:
    """The transcript; entries without characteristic or value get empty ones."""
    return [_entry([str(part or "").lower() for part in parts]) for parts in case["transcript"]]


def _entry(parts: list[str]) -> Entry:
    kind = parts[0]
    if kind not in ("w", "n", "w-lost", "n-lost"):
        return kind, "", parts[-1] if len(parts) > 1 else ""
    return kind, parts[1], parts[2]


# --- values -----------------------------------------------------------------------------------------------------------


def setup_values(keys: SetupKeys) -> dict[str, str]:
    """What a registration derives, by the names of the vectors."""
    values = {"okm": keys.okm, "token": keys.token, "bindkey": keys.bind_key, "did_key": keys.did_key}
    return {name: value.hex() for name, value in values.items()} | {"hkdf_okm": keys.okm.hex()}


def login_values(keys: LoginKeys) -> dict[str, str]:
    """What a login derives, by the names of the vectors."""
    session = keys.session
    values = {
        "okm": keys.okm,
        "hkdf_okm": keys.okm,
        "dev_key": session[:16],
        "app_key": session[16:32],
        "dev_iv": session[32:36],
        "app_iv": session[36:40],
        "device_proof": keys.device_proof,
        "app_proof": keys.app_proof,
        "app_random": keys.app_random,
        "device_random": keys.device_random,
        "session_keys": session,
    }
    return {name: value.hex() for name, value in values.items()}


def _expected_setup(given: Case, case: Case) -> dict[str, str]:
    app = private_key(bytes.fromhex(case["client"]["private_key"]))
    unit = private_key(bytes.fromhex(case["device"]["private_key"]))
    secret = shared_secret(app, public_point(unit)) or b""
    keys = SetupKeys.derive(secret)
    plain = bytes.fromhex(given.get("did_plain") or "")
    ours = {
        "app_public": public_point(app),
        "device_public": public_point(unit),
        "shared_secret": secret,
        "did_plain": plain,
        "did_parcel": keys.seal_did(plain),
    }
    return setup_values(keys) | {name: value.hex() for name, value in ours.items()}


def check_values(case: Case) -> None:
    """Every derived value that the case lists is what we derive."""
    for title, given in case.items():
        if not title.endswith("intermediate") or given is None:
            continue
        if "app_random" in given:
            parts = (bytes.fromhex(given[name]) for name in ("token", "app_random", "device_random"))
            ours = login_values(LoginKeys.derive(*parts)) | {"token": given["token"]}
        else:
            ours = _expected_setup(given, case)
        for name, value in given.items():
            need(name in ours, f"{title}: no rule for {name}")
            need(value is None or ours[name] == value, f"{title}.{name}: {ours[name]} instead of {value}")


# --- the unit ---------------------------------------------------------------------------------------------------------


def build(device: Case, *, again: bool = False) -> tuple[MiDevice, Records]:
    """The unit a case describes. `again`: its randoms begin anew when they run out."""
    randoms = deque(bytes.fromhex(text) for text in device.get("randoms", ()))
    scalar = bytes.fromhex(device.get("private_key") or "01" * 32)

    def entropy(length: int) -> bytes:
        if length == len(scalar):
            return scalar
        need(bool(randoms), "the unit has no random left")
        taken = randoms.popleft()
        if again:
            randoms.append(taken)
        return taken

    records = Records({DID_RECORD: unhex(device.get("did_record")), KEY_RECORD: unhex(device.get("key_record"))})
    unit = MiDevice(
        records,
        generation=device.get("auth_generation", 1),
        entropy=entropy,
        roots=tuple(bytes.fromhex(value) for name, value in device.items() if name.startswith("root")),
        att_payload=device.get("max_att_payload", 20),
        io_mask=io_mask(device),
        reset_button=device.get("reset_button", False),
    )
    return unit, records


def io_mask(device: Case) -> int:
    """The I/O capabilities a product demands; the vectors give the field no fixed name."""
    names = (name for name in device if name.startswith(("io", "oob")) or name.endswith("mask"))
    value = device.get(next(names, ""), 0)
    return int(value, 16) if isinstance(value, str) else int(value or 0)


class Replay:
    """Plays one transcript.

    `forgetful`: the unit forgets which frame it was asked for again as soon as the parcel is through. The specification
    (mi-auth.md 3.3) names no such moment, and its text lets the next parcel of as many frames count as complete.
    """

    def __init__(self, device: MiDevice, *, forgetful: bool = False) -> None:
        self.device = device
        self._forgetful = forgetful
        self.now = 0.0
        self.codes: list[str] = []
        self._waiting: deque[Notification] = deque()
        self._waited = False

    def play(self, kind: str, characteristic: str, value: str) -> None:
        """One entry."""
        match kind:
            case "w" | "w-lost":
                self._silent(f"before {kind} {value}")
                self._waited = False
                if kind == "w":
                    raw = bytes.fromhex(value)
                    self._waiting.extend(self.device.write(CHARACTERISTICS[characteristic], raw, self.now))
                    if self._forgetful and raw == _THROUGH:
                        self.device._link._sn = 0
            case "n" | "n-lost":
                self._expect(characteristic, value)
            case "wait_ms":
                self._waited = True
                self.tick(int(value) // 10)
            case "disconnect":
                self._silent("before the disconnect")
                self.device.disconnected()
            case _:
                raise Wrong(f"unknown entry {kind}")

    def tick(self, count: int) -> None:
        """Let time pass."""
        for _ in range(count):
            self.now += TICK_S
            self._waiting.extend(self.device.tick(self.now))

    def finish(self) -> None:
        """Nothing may be left over."""
        self.tick(2)
        self._silent("after the end")

    def _silent(self, when: str) -> None:
        need(not self._waiting, f"{when} the unit says {[item.data.hex() for item in self._waiting]}")

    def _expect(self, characteristic: str, value: str) -> None:
        patience = SLACK_TICKS if self._waited else PATIENCE_TICKS
        self._waited = False
        while not self._waiting and patience:
            self.tick(1)
            patience -= 1
        need(bool(self._waiting), f"the unit does not say {characteristic} {value}")
        got = self._waiting.popleft()
        same = got.char == CHARACTERISTICS[characteristic] and got.data.hex() == value
        need(same, f"the unit says {got.data.hex()} instead of {characteristic} {value}")
        if characteristic == "0010":
            self.codes.append(value)


def replay(case: Case) -> None:
    """The unit answers as recorded and is left in the recorded state."""
    asked_again = any(kind == "w" and value.startswith("00000105") for kind, _, value in entries(case))
    try:
        _replay(case, forgetful=False)
    except Wrong:
        if not asked_again:
            raise
        _replay(case, forgetful=True)


def _replay(case: Case, *, forgetful: bool) -> None:
    device, records = build(case["device"])
    player = Replay(device, forgetful=forgetful)
    for number, entry in enumerate(entries(case)):
        try:
            player.play(*entry)
        except Wrong as wrong:
            raise Wrong(f"entry {number}: {wrong}") from None
    player.finish()
    if "codes" in case:
        need(player.codes == case["codes"], f"codes {player.codes}")
    if "result" in case:
        _need_last(player.codes, case["result"], registration=True)
    if "login_result" in case:
        _need_last(player.codes, case["login_result"], registration=False)
    _check_state(case["after"], device, records)


def _need_last(codes: list[str], expected: str | None, *, registration: bool) -> None:
    verdicts = [None, *(code for code in codes if (code[:2] in REGISTRATION_CODES) == registration)]
    need(verdicts[-1] == expected, f"codes {codes}")


def _check_state(after: Case, device: MiDevice, records: Records) -> None:
    ours = {
        "did_record": records.find(DID_RECORD),
        "key_record": records.find(KEY_RECORD),
        "authorized": device.authorised,
        "session_keys": device.session_keys,
    }
    for name, value in after.items():
        need(name in ours, f"after: no rule for {name}")
        got = ours[name]
        need((got.hex() if isinstance(got, bytes) else got) == value, f"after: {name} is {got!r}")
