"""Nothing that comes over the air raises: truncations, bit flips, random bytes."""

import json
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mitherm.beacon import BeaconKey, DecodeFailure, Reading, advert, decode, decode_event
from mitherm.beacon.decode import DECODERS
from mitherm.model.address import Address
from mitherm.primitives.secret import Secret

RANDOM_FRAMES = 100_000
VECTORS = Path(__file__).parent.parent / "vectors" / "beacon-frames.json"
CASES = [case for case in json.loads(VECTORS.read_text())["cases"] if "data" in case]
ADDRESS = Address.parse("A4:C1:38:56:53:84")
KEYS = (None, BeaconKey(Secret(bytes(16))), BeaconKey(Secret(bytes(12))), BeaconKey(Secret(b"short")))


def _check(uuid: int, data: bytes, address: Address | None, key: BeaconKey | None) -> Reading | DecodeFailure:
    found = decode(uuid, data, address, key)
    if isinstance(found, Reading):
        json.dumps(found.fields(), allow_nan=False)
    else:
        assert found.error
    return found


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_damaged_vectors(case: dict[str, str]) -> None:
    """Every truncation and every single bit flip of a vector gives a value or a named error."""
    uuid, data, address = int(case["uuid"], 16), bytes.fromhex(case["data"]), Address.parse(case["mac"])
    key = BeaconKey(Secret.from_hex(case["bindkey"])) if case["bindkey"] else None
    for length in range(len(data)):
        _check(uuid, data[:length], address, key)
    for bit in range(8 * len(data)):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        _check(uuid, bytes(flipped), address, key)


@pytest.mark.parametrize(
    "case",
    [case for case in CASES if "encrypted" in case["name"] and "v3" not in case["name"]],
    ids=lambda case: case["name"],
)
def test_a_flipped_bit_is_never_authenticated(case: dict[str, str]) -> None:
    """No flip in cipher text, counter or tag of an encrypted vector passes as authenticated."""
    uuid, data, address = int(case["uuid"], 16), bytes.fromhex(case["data"]), Address.parse(case["mac"])
    key = BeaconKey(Secret.from_hex(case["bindkey"])) if case["bindkey"] else None
    for bit in range(8 * len(data)):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        found = decode(uuid, bytes(flipped), address, key)
        header_only = uuid == 0xFE95 and bit // 8 in (0, 1)  # registered, solicited, auth mode: not covered by the tag
        assert header_only or not (isinstance(found, Reading) and found.authenticated)


def test_random_service_data() -> None:
    """Random bytes of random length under every UUID and kind of key, with plausible beginnings, never raise."""
    dice = random.Random(20240817)
    uuids = [*DECODERS, 0x1234]
    for _ in range(RANDOM_FRAMES):
        data = dice.randbytes(dice.randrange(32))
        if dice.random() < 0.5:
            data = (
                dice.choice((b"\x40", b"\x41", b"\x44", b"\x50\x58\x5b\x05", b"\x58\x58\x5b\x05", b"\x58\x30\xb6\x03"))
                + data
            )
        address = ADDRESS if dice.random() < 0.9 else None
        found = decode(dice.choice(uuids), data, address, dice.choice(KEYS))
        if isinstance(found, Reading):
            found.fields()


@given(st.sampled_from([*DECODERS]), st.binary(max_size=40), st.sampled_from(KEYS))
def test_any_service_data(uuid: int, data: bytes, key: BeaconKey | None) -> None:
    """What hypothesis finds is a value or a named error, and its fields are JSON."""
    _check(uuid, data, ADDRESS, key)


@given(st.binary(max_size=62))
def test_any_advertisement(data: bytes) -> None:
    """AD structures never raise, and what was parsed builds a prefix of the data again."""
    parsed = advert.structures(data)
    assert data.startswith(b"".join(advert.ad(kind, value) for kind, value in parsed))
    decode_event(advert.service_data(data))
    advert.local_name(data)
