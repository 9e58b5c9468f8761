"""The app's side of registration and login, with the app's own steps and error codes (mi-auth.md 5.4, 9.1).

It shares the codec with the product's client, but no decision: it neither refuses generation 2 nor invents a DID, and it
writes 14 where the cloud says no.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from mitherm.errors import (
    CharacteristicMissing,
    DecodeError,
    DeviceNotFound,
    LinkError,
    LinkTimeout,
    MiAuthRefused,
    ProtocolError,
)
from mitherm.model.keys import MiKeys, did_text
from mitherm.primitives.crypto import (
    ecdsa_raw,
    private_key,
    public_point,
    same,
    shared_secret,
)
from mitherm.protocol.effects import Entropy, Procedure
from mitherm.protocol.mi.channel import MiChannel
from mitherm.protocol.mi.messages import DeviceInfo, LoginKeys, Opcode, SetupKeys, signed_content
from mitherm.protocol.mi.parcel import ParcelType
from mitherm.virtual.central import CentralLink
from mitherm.virtual.mi_home.rules import Decision, has_mi_service

STEP_S: Final = 15.0
OK: Final = 0
TIMEOUT: Final = -7
NO_NOTIFICATIONS: Final = -27
WRITE_FAILED: Final = -28
DID_REFUSED: Final = -29
BIND_FAILED: Final = -30
VERSION_UNKNOWN: Final = -37
MALFORMED_INFO: Final = -47
NOT_REGISTERED: Final = -16
ALREADY_REGISTERED: Final = -17
INVALID_OOB: Final = -48
UNIT_REFUSED: Final = -51
PROOF_WRONG: Final = -52


@dataclass(frozen=True, slots=True)
class Account:
    """What the app asks its cloud. `decide` sees the DID the unit reports and gives the DID to use, or a refusal."""

    app_generation: int
    decide: Callable[[str | None], Decision]
    refuses: Callable[[], bool]
    """Counts down `refuse_next`."""
    bind_fails: Callable[[], bool]
    """Counts down `bind_fail_next`."""
    issue: Callable[[], bytes]
    """A new 20-byte DID record."""
    bind: Callable[[MiKeys], None]
    """Write the account entry."""
    certificate: Callable[[], tuple[bytes, bytes]]
    """Certificate (DER) and the scalar of its key, for generation 2."""
    utc: int


class _Ended(Exception):
    """The app stops with a code."""

    def __init__(self, code: int) -> None:
        super().__init__(str(code))
        self.code = code


def add(link: CentralLink, account: Account, entropy: Entropy) -> int:
    """Add the unit behind `link`; returns the app's code, 0 when accepted."""
    if not has_mi_service(link.unit.gatt):
        return WRITE_FAILED
    return _code(link, _register(account, entropy))


def sync(link: CentralLink, token: bytes, entropy: Entropy) -> int:
    """Log in with the account's token; returns the app's code."""
    if not has_mi_service(link.unit.gatt):
        return WRITE_FAILED
    return _code(link, _login(token, entropy))


def _code(link: CentralLink, procedure: Procedure[None]) -> int:
    try:
        link.run(procedure)
    except _Ended as end:
        return end.code
    except (LinkError, ProtocolError, DeviceNotFound):
        return TIMEOUT
    return OK


def _channel() -> Procedure[MiChannel]:
    channel = MiChannel(step_s=STEP_S, total_s=120.0)
    try:
        yield from channel.open()
    except (LinkError, CharacteristicMissing):
        raise _Ended(NO_NOTIFICATIONS) from None
    return channel


def _register(account: Account, entropy: Entropy) -> Procedure[None]:
    channel = yield from _channel()
    info = yield from _device_info(channel)
    if info.version > account.app_generation:
        raise _Ended(VERSION_UNKNOWN)
    setup = yield from _keys(channel, entropy)
    decision = account.decide(did_text(info.did_record) if info.did_record else None)
    if account.refuses() or not decision.accepted:
        yield from _refuse(channel)
        raise _Ended(DID_REFUSED)
    if account.bind_fails():
        yield from _refuse(channel)
        raise _Ended(BIND_FAILED)
    record = info.did_record if decision.did is not None and info.did_record else account.issue()
    account.bind(MiKeys.from_record(setup.record, did_text(record)))
    if info.version >= 2:
        yield from _offer_signed(channel, account, setup, record, entropy)
    else:
        yield from _offer(channel, setup, record)
    yield from _verdict(channel)


def _device_info(channel: MiChannel) -> Procedure[DeviceInfo]:
    try:
        yield from channel.command(Opcode.DEVICE_INFO)
        return DeviceInfo.from_bytes((yield from channel.receive(ParcelType.DEVICE_INFO)))
    except DecodeError:
        raise _Ended(MALFORMED_INFO) from None
    except LinkTimeout:
        raise _Ended(TIMEOUT) from None


def _keys(channel: MiChannel, entropy: Entropy) -> Procedure[SetupKeys]:
    key = private_key(entropy(32))
    try:
        yield from channel.command(Opcode.REGISTER)
        yield from channel.send(ParcelType.PUBLIC_KEY, public_point(key))
        secret = shared_secret(key, (yield from channel.receive(ParcelType.PUBLIC_KEY)))
    except MiAuthRefused as refusal:
        raise _Ended(_REFUSALS.get(refusal.code, UNIT_REFUSED)) from None
    except LinkTimeout:
        raise _Ended(TIMEOUT) from None
    except (LinkError, ProtocolError):
        raise _Ended(WRITE_FAILED) from None
    if secret is None:
        raise _Ended(UNIT_REFUSED)
    return SetupKeys.derive(secret)


def _refuse(channel: MiChannel) -> Procedure[None]:
    """The server said no: 14, and whatever the unit answers to it."""
    try:
        yield from channel.command(Opcode.REFUSED)
        yield from channel.verdict()
    except (MiAuthRefused, LinkError, ProtocolError):
        return


def _offer(channel: MiChannel, setup: SetupKeys, record: bytes) -> Procedure[None]:
    """Generation 1: DID, then 13."""
    yield from _sent(channel, ParcelType.DEVICE_INFO, setup.seal_did(record))
    yield from channel.command(Opcode.ACCEPTED)


def _offer_signed(
    channel: MiChannel, account: Account, setup: SetupKeys, record: bytes, entropy: Entropy
) -> Procedure[None]:
    """Generation 2: 13 first, then the signed DID and the server certificate."""
    certificate, scalar = account.certificate()
    utc = account.utc.to_bytes(4, "little")
    signature = ecdsa_raw(private_key(scalar), signed_content(record, setup.bind_key, utc))
    yield from channel.command(Opcode.ACCEPTED)
    yield from _sent(channel, ParcelType.DEVICE_INFO, setup.seal_did(record + signature + utc))
    yield from _sent(channel, ParcelType.SERVER_CERTIFICATE, certificate)


def _sent(channel: MiChannel, kind: ParcelType, data: bytes) -> Procedure[None]:
    try:
        yield from channel.send(kind, data)
    except MiAuthRefused as refusal:
        raise _Ended(_REFUSALS.get(refusal.code, UNIT_REFUSED)) from None
    except LinkTimeout:
        raise _Ended(TIMEOUT) from None


_REFUSALS: Final[dict[int, int]] = {
    Opcode.REGISTRATION_FAILED: UNIT_REFUSED,
    Opcode.ALREADY_REGISTERED: ALREADY_REGISTERED,
    Opcode.INVALID_OOB: INVALID_OOB,
}


def _verdict(channel: MiChannel) -> Procedure[None]:
    try:
        while (yield from channel.verdict()) != Opcode.REGISTERED:
            pass
    except MiAuthRefused as refusal:
        raise _Ended(_REFUSALS.get(refusal.code, UNIT_REFUSED)) from None
    except LinkTimeout:
        raise _Ended(TIMEOUT) from None


def _login(token: bytes, entropy: Entropy) -> Procedure[None]:
    channel = yield from _channel()
    app_random = entropy(16)
    try:
        yield from channel.command(Opcode.LOGIN)
        yield from channel.send(ParcelType.APP_RANDOM, app_random)
        device_random = yield from channel.receive(ParcelType.DEVICE_RANDOM)
        proof = yield from channel.receive(ParcelType.DEVICE_PROOF)
        keys = LoginKeys.derive(token, app_random, device_random)
        if not same(proof, keys.device_proof):
            raise _Ended(PROOF_WRONG)
        yield from channel.send(ParcelType.APP_PROOF, keys.app_proof)
        while (yield from channel.verdict()) != Opcode.LOGGED_IN:
            pass
    except MiAuthRefused as refusal:
        if refusal.code == Opcode.REPEATED_LOGIN:
            return
        raise _Ended(NOT_REGISTERED if refusal.code == Opcode.NOT_REGISTERED else PROOF_WRONG) from None
    except LinkTimeout:
        raise _Ended(TIMEOUT) from None
