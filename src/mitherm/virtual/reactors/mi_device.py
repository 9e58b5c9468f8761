"""The unit's side of Xiaomi authentication, generations 1 and 2: device info, registration, login (mi-auth.md 3 to 5, 7).

A reactor: bytes and the time go in, notifications come out. Its procedures are jobs that read like the firmware's
protothreads; at most one runs, for at most 3000 ticks.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final, Protocol

from mitherm.model.keys import BIND_KEY_LENGTH, DID_LENGTH, TOKEN_LENGTH
from mitherm.primitives.crypto import (
    certificate_point,
    der_signature,
    ecdsa_verify,
    private_key,
    public_point,
    same,
    shared_secret,
)
from mitherm.protocol.effects import Entropy, Notification
from mitherm.protocol.mi.messages import (
    CERTIFICATE_LIMIT,
    DID_PARCEL_LENGTH,
    POINT_LENGTH,
    PROOF_LENGTH,
    RANDOM_LENGTH,
    SIGNED_DID_LENGTH,
    DeviceInfo,
    LoginKeys,
    Opcode,
    SetupKeys,
    signed_content,
)
from mitherm.protocol.mi.parcel import Frame, ParcelType
from mitherm.protocol.uuids import MI_CONTROL, MI_PARCELS
from mitherm.virtual.reactors.mi_endpoint import FOREVER, Endpoint, Generation, Job, Wait

DID_RECORD: Final = 0x0001
COUNTER_RECORD: Final = 0x0004
KEY_RECORD: Final = 0x0010
LIMIT_TICKS: Final = 3000
RETRANSMISSIONS: Final = 6
"""Offered in the negotiation of link parameters."""

_TAG_LENGTH: Final = 4
_SIGNATURE_LENGTH: Final = 64
_FILLER: Final = b"\xa5"
_EPSILON_S: Final = 1e-6


class KeyRecords(Protocol):
    """The record store in flash (flash-layout.md 3)."""

    def find(self, record_id: int) -> bytes | None:
        """The first live record with this id."""

    def write(self, record_id: int, data: bytes) -> None:
        """Delete the old record and append the new one."""


class MiDevice:
    """One unit's authentication. `tick_s` is the main loop's period: every limit is a number of ticks (mi-auth.md 3.3)."""

    def __init__(
        self,
        records: KeyRecords,
        *,
        generation: Generation,
        entropy: Entropy,
        roots: tuple[bytes, ...] = (),
        att_payload: int = 20,
        io_mask: int = 0,
        reset_button: bool = False,
        tick_s: float = 0.010,
    ) -> None:
        self._records = records
        self._generation: Generation = generation
        self._entropy = entropy
        self._roots = roots
        self._att_payload = att_payload
        self._io_mask = io_mask
        self._reset_button = reset_button
        self._tick_s = tick_s
        self._outbox: list[Notification] = []
        self._procedures: dict[int, Callable[[], Job[None]]] = {
            Opcode.DEVICE_INFO: self._device_info,
            Opcode.REGISTER: self._register,
            Opcode.LOGIN: self._login,
        }
        if generation == 2:
            self._procedures[Opcode.LINK_PARAMETERS] = self._negotiate
        self.disconnected()

    def disconnected(self) -> None:
        """The link is gone: authorisation, session keys, procedure and transfer state with it."""
        self.authorised = False
        self.session_keys: bytes | None = None
        self._link = Endpoint(self._notify_frame, self._generation)
        self._control = 0
        self._choice = 0
        self._queued: int | None = None
        self._running: int | None = None
        self._job: Job[None] | None = None
        self._wait = FOREVER
        self._wait_until: float | None = None
        self._limit_at = 0.0
        self._outbox.clear()

    def write(self, char: str, data: bytes, now: float) -> list[Notification]:
        """A write to 0010 or 0019."""
        self._run(now)
        if char == MI_PARCELS:
            self._link.take(data)
        elif char == MI_CONTROL and data:
            self._command(data[:4].ljust(4, b"\0"), now)
        return self.tick(now)

    def tick(self, now: float) -> list[Notification]:
        """Time has passed."""
        self._run(now)
        ready, self._outbox = self._outbox, []
        return ready

    def wake_at(self) -> float | None:
        """When `tick` has something to do; None while nothing runs."""
        if self._job is None:
            return None
        return self._limit_at if self._wait_until is None else min(self._wait_until, self._limit_at)

    # --- reactor ------------------------------------------------------------------------------------------------------

    def _command(self, value: bytes, now: float) -> None:
        """Remember the value; start, queue or ignore a procedure (mi-auth.md 4)."""
        self._control = value[0]
        if value[0] not in self._procedures:
            return
        if self._job is None:
            self._choice = int.from_bytes(value[1:3], "little")
            self._start(value[0], now)
        elif self._running == Opcode.DEVICE_INFO and self._queued is None:
            self._choice = int.from_bytes(value[1:3], "little")
            self._queued = value[0]

    def _start(self, opcode: int, now: float) -> None:
        job = self._job = self._procedures[opcode]()
        self._running, self._limit_at = opcode, now + LIMIT_TICKS * self._tick_s
        self._advance(lambda: next(job), now)

    def _run(self, now: float) -> None:
        """Let the running procedure go as far as it can."""
        while (job := self._job) is not None:
            ready = self._wait.ready()
            if _reached(self._limit_at, now):
                self._end(now)
            elif ready or _reached(self._wait_until, now):
                self._advance(partial(job.send, ready), now)
            else:
                return

    def _advance(self, step: Callable[[], Wait], now: float) -> None:
        try:
            self._wait = step()
        except StopIteration:
            self._end(now)
            return
        ticks = self._wait.ticks
        self._wait_until = None if ticks is None else now + ticks * self._tick_s

    def _end(self, now: float) -> None:
        queued, self._queued, self._job, self._running = self._queued, None, None, None
        if queued is not None:
            self._start(queued, now)

    def _notify_frame(self, frame: Frame) -> None:
        self._outbox.append(Notification(MI_PARCELS, frame.to_bytes()))

    def _say(self, opcode: Opcode) -> None:
        self._outbox.append(Notification(MI_CONTROL, opcode.frame))

    # --- procedures ---------------------------------------------------------------------------------------------------

    def _record(self, record_id: int, length: int) -> bytes | None:
        data = self._records.find(record_id)
        return data if data is not None and len(data) == length else None

    @property
    def _did(self) -> bytes | None:
        return self._record(DID_RECORD, DID_LENGTH)

    @property
    def _key_record(self) -> bytes | None:
        return self._record(KEY_RECORD, TOKEN_LENGTH + BIND_KEY_LENGTH)

    def _receive(self, kind: ParcelType, length: int) -> Job[bytes]:
        """A parcel of fixed length; what a short one leaves open is the filler of the buffer."""
        return (yield from self._link.receive(kind, length)).ljust(length, _FILLER)

    def _device_info(self) -> Job[None]:
        info = DeviceInfo(self._generation, self._io_mask, self._did)
        yield from self._link.send(ParcelType.DEVICE_INFO, info.to_bytes())

    def _negotiate(self) -> Job[None]:
        yield from self._link.negotiate(self._att_payload - 2, RETRANSMISSIONS)

    def _login(self) -> Job[None]:
        if self.authorised:
            return self._say(Opcode.REPEATED_LOGIN)
        record = self._key_record
        if record is None:
            return self._say(Opcode.NOT_REGISTERED)
        app_random = yield from self._receive(ParcelType.APP_RANDOM, RANDOM_LENGTH)
        keys = LoginKeys.derive(record[:TOKEN_LENGTH], app_random, self._entropy(RANDOM_LENGTH))
        yield from self._link.send(ParcelType.DEVICE_RANDOM, keys.device_random)
        yield from self._link.send(ParcelType.DEVICE_PROOF, keys.device_proof)
        proof = yield from self._receive(ParcelType.APP_PROOF, PROOF_LENGTH)
        if not same(proof, keys.app_proof):
            return self._say(Opcode.LOGIN_FAILED)
        self.authorised, self.session_keys = True, keys.session
        return self._say(Opcode.LOGGED_IN)

    def _register(self) -> Job[None]:
        if self._reset_button and self._key_record is not None:
            return self._say(Opcode.ALREADY_REGISTERED)
        if self._io_mask and not self._choice & self._io_mask:
            return self._say(Opcode.INVALID_OOB)
        keys = yield from self._agree_on_keys()
        did = yield from (self._accept_did(keys) if self._generation == 1 else self._accept_signed_did(keys))
        stored = did is not None and self._store(did, keys)
        return self._say(Opcode.REGISTERED if stored else Opcode.REGISTRATION_FAILED)

    def _agree_on_keys(self) -> Job[SetupKeys]:
        """Generation 1 does not notice an invalid point: it goes on with a secret that nobody knows."""
        point = yield from self._receive(ParcelType.PUBLIC_KEY, POINT_LENGTH)
        key = private_key(self._entropy(32))
        secret = shared_secret(key, point)
        if secret is None and self._generation == 2:
            yield FOREVER
        yield from self._link.send(ParcelType.PUBLIC_KEY, public_point(key))
        return SetupKeys.derive(self._entropy(32) if secret is None else secret)

    def _accepted(self) -> Job[bool]:
        """The app's verdict; one that was written early counts."""
        yield Wait(lambda: self._control in (Opcode.ACCEPTED, Opcode.REFUSED))
        return self._control == Opcode.ACCEPTED

    def _accept_did(self, keys: SetupKeys) -> Job[bytes | None]:
        sealed = yield from self._receive(ParcelType.DEVICE_INFO, DID_PARCEL_LENGTH)
        accepted = yield from self._accepted()
        return keys.open_did(sealed) if accepted else None

    def _accept_signed_did(self, keys: SetupKeys) -> Job[bytes | None]:
        """Generation 2 polls for the verdict before it looks at 0019: the stall of mi-auth.md 7."""
        if not (yield from self._accepted()):
            return None
        sealed = yield from self._link.receive(ParcelType.DEVICE_INFO, SIGNED_DID_LENGTH + _TAG_LENGTH)
        certificate = yield from self._link.receive(ParcelType.SERVER_CERTIFICATE, CERTIFICATE_LIMIT)
        plain = keys.open_did(sealed)
        if plain is None or len(plain) != SIGNED_DID_LENGTH:
            return None
        did, signature, utc = plain[:DID_LENGTH], plain[DID_LENGTH:-4], plain[-4:]
        points = filter(None, (certificate_point(certificate, root) for root in self._roots))
        message = signed_content(did, keys.bind_key, utc)
        return did if any(ecdsa_verify(point, der_signature(signature), message) for point in points) else None

    def _store(self, did: bytes, keys: SetupKeys) -> bool:
        """Records in the order the firmware writes them; False when the unit has another DID."""
        stored = self._did
        if stored is not None and stored != did:
            return False
        if stored is None:
            self._records.write(DID_RECORD, did)
        self._records.write(KEY_RECORD, keys.record)
        self._records.write(COUNTER_RECORD, bytes(4))
        return True


def _reached(deadline: float | None, now: float) -> bool:
    return deadline is not None and now >= deadline - _EPSILON_S
