"""The client's procedures of Xiaomi authentication: device info, bound or not, register, login (mi-auth.md 5, 9, 11)."""

from __future__ import annotations

import string
from typing import Final

from mitherm.errors import KeysMismatch, KeysMissing, LinkLost, LinkTimeout, MiAuthRefused, PeerMisbehaved
from mitherm.model.keys import INVENTED_DID, MiKeys, did_record
from mitherm.primitives.crypto import private_key, public_point, same, shared_secret
from mitherm.primitives.secret import Secret
from mitherm.protocol.effects import Entropy, Procedure, keep
from mitherm.protocol.mi.channel import RECONNECT, STEP_S, MiChannel
from mitherm.protocol.mi.messages import (
    PROOF_LENGTH,
    RANDOM_LENGTH,
    DeviceInfo,
    LoginKeys,
    Opcode,
    SetupKeys,
)
from mitherm.protocol.mi.parcel import Ack, Acknowledge, ParcelType

_LETTERS: Final = string.ascii_letters + string.digits
_OUR_MARK: Final = "mth"
_WRONG_TOKEN: Final = (
    "it was added or activated again after these keys were saved: read the keys anew after the last time it was added "
    "(a token has 24 hex digits, a bind key 32; mind that they are not swapped)"
)
_GENERATION_2: Final = (
    "add it in Mi Home, read token and bind key from the account, then log in with them; no tool can activate this "
    "firmware, because it wants a certificate that only Xiaomi's servers issue"
)


def device_info() -> Procedure[DeviceInfo]:
    """Ask for generation and DID: harmless, works without keys (A2). Raises LinkTimeout, DecodeError."""
    channel = MiChannel()
    yield from channel.open()
    return (yield from _device_info(channel))


def is_registered(entropy: Entropy) -> Procedure[bool | None]:
    """Whether the unit holds a key; None when it does not answer. Disconnect afterwards (mi-auth.md 9.2 V5)."""
    channel = MiChannel()
    yield from channel.open()
    yield from channel.command(Opcode.LOGIN)
    yield from channel.announce(ParcelType.APP_RANDOM, entropy(RANDOM_LENGTH))
    try:
        while (message := (yield from channel.listen(STEP_S))) is not None:
            if isinstance(message, Acknowledge) and message.ack in (Ack.READY, Ack.LOST):
                return True
    except MiAuthRefused as refusal:
        return refusal.code == Opcode.REPEATED_LOGIN
    return None


def register(entropy: Entropy, *, did_if_none: str | None = None) -> Procedure[MiKeys]:
    """Activate a generation 1 unit: new token and bind key, same DID (an invented one if it has none).

    The keys are made durable (`Keep`) before the unit is told to store them. Raises KeysMissing for generation 2,
    MiAuthRefused, LinkTimeout, LinkLost; `device` is "unknown" when the unit may have stored the keys.
    """
    channel = MiChannel()
    yield from channel.open()
    info = yield from _device_info(channel)
    if info.version >= 2:
        raise KeysMissing(
            f"this firmware (authentication version {info.version}) can only be activated by Mi Home",
            hint=_GENERATION_2,
        )
    did = info.did_record or did_record(did_if_none or invented_did(entropy))
    setup = yield from _agree_on_keys(channel, entropy)
    yield from channel.send(ParcelType.DEVICE_INFO, setup.seal_did(did))
    keys = MiKeys.from_record(setup.record, DeviceInfo(info.version, did_record=did).did)
    yield from keep(keys)
    yield from _confirm(channel)
    return keys


def login(token: Secret, entropy: Entropy) -> Procedure[None]:
    """Authorise this connection. Raises KeysMismatch (wrong token; nothing was proved to the unit), MiAuthRefused."""
    channel = MiChannel()
    yield from channel.open()
    try:
        yield from _login(channel, token, entropy(RANDOM_LENGTH))
    except MiAuthRefused as refusal:
        if refusal.code != Opcode.REPEATED_LOGIN:
            raise


def invented_did(entropy: Entropy) -> str:
    """A DID text for a unit without one; Mi Home will refuse the unit with -29 until the record is removed."""
    return INVENTED_DID + "".join(_LETTERS[byte % len(_LETTERS)] for byte in entropy(6)) + _OUR_MARK


def _device_info(channel: MiChannel) -> Procedure[DeviceInfo]:
    yield from channel.command(Opcode.DEVICE_INFO)
    return DeviceInfo.from_bytes((yield from channel.receive(ParcelType.DEVICE_INFO)))


def _agree_on_keys(channel: MiChannel, entropy: Entropy) -> Procedure[SetupKeys]:
    key = private_key(entropy(32))
    yield from channel.command(Opcode.REGISTER)
    yield from channel.send(ParcelType.PUBLIC_KEY, public_point(key))
    secret = shared_secret(key, (yield from channel.receive(ParcelType.PUBLIC_KEY)))
    if secret is None:
        raise PeerMisbehaved("the unit sent an invalid public key", hint=RECONNECT)
    return SetupKeys.derive(secret)


def _confirm(channel: MiChannel) -> Procedure[None]:
    """Let the unit store the keys and wait until it has (13, then 11)."""
    try:
        yield from channel.command(Opcode.ACCEPTED)
        while (yield from channel.verdict()) != Opcode.REGISTERED:
            pass
    except (LinkTimeout, LinkLost) as problem:
        problem.device = "unknown"
        problem.hint = "the new keys are saved; reconnect and try to log in with them before activating again"
        raise


def _login(channel: MiChannel, token: Secret, app_random: bytes) -> Procedure[None]:
    yield from channel.command(Opcode.LOGIN)
    yield from channel.send(ParcelType.APP_RANDOM, app_random)
    device_random = yield from channel.receive(ParcelType.DEVICE_RANDOM)
    proof = yield from channel.receive(ParcelType.DEVICE_PROOF)
    if len(device_random) != RANDOM_LENGTH or len(proof) != PROOF_LENGTH:
        raise PeerMisbehaved("the unit's random or proof has the wrong length", hint=RECONNECT)
    keys = LoginKeys.derive(token.reveal(), app_random, device_random)
    if not same(proof, keys.device_proof):
        raise KeysMismatch("the unit holds another token", hint=_WRONG_TOKEN)
    yield from channel.send(ParcelType.APP_PROOF, keys.app_proof)
    while (yield from channel.verdict()) != Opcode.LOGGED_IN:
        pass
