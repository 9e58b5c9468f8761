"""Device information, control values, derived keys and what they show of themselves."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mitherm.errors import DecodeError
from mitherm.protocol.mi.messages import REFUSALS, DeviceInfo, LoginKeys, Opcode, SetupKeys, control_value, open_did


@given(st.integers(0, 0xFFFF), st.integers(0, 0xFFFF), st.none() | st.binary(min_size=20, max_size=20))
def test_device_info_survives(version, mask, did):
    """Four or 24 bytes and back."""
    info = DeviceInfo(version, mask, did)
    assert DeviceInfo.from_bytes(info.to_bytes()) == info


@pytest.mark.parametrize("length", [0, 3, 5, 22, 23, 25])
def test_device_info_length(length):
    """Any other length is refused."""
    with pytest.raises(DecodeError):
        DeviceInfo.from_bytes(bytes(length))


def test_device_info_shows_the_did_as_text():
    """Zero bytes in front are dropped."""
    assert DeviceInfo(1, did_record=b"\0blt.1.1abcd23efgh56").did == "blt.1.1abcd23efgh56"
    assert DeviceInfo(1).did is None


def test_control_values():
    """The opcode is the low byte, the choice the two bytes behind it."""
    assert Opcode.LOGIN.frame.hex() == "24000000"
    assert control_value(Opcode.REGISTER, 0x0102).hex() == "15020100"


@given(st.binary(min_size=32, max_size=32), st.binary(min_size=20, max_size=88), st.integers(0))
def test_sealed_did(secret, plain, position):
    """Opens with the same key; a changed bit anywhere does not open."""
    keys = SetupKeys.derive(secret)
    sealed = bytearray(keys.seal_did(plain))
    assert open_did(keys.did_key, bytes(sealed)) == plain
    sealed[position % len(sealed)] ^= 1
    assert keys.open_did(bytes(sealed)) is None


def test_keys_are_not_shown():
    """No derived byte in a repr."""
    setup = SetupKeys.derive(bytes(32))
    session = LoginKeys.derive(bytes(12), bytes(16), bytes(16))
    assert setup.token.hex() not in repr(setup)
    assert repr(setup) == "SetupKeys()"
    assert "okm" not in repr(session)


def test_proofs_differ():
    """The unit's proof is no proof of the client, even with equal randoms."""
    keys = LoginKeys.derive(bytes(12), bytes(16), bytes(16))
    assert keys.device_proof != keys.app_proof


def test_good_codes_are_no_refusals():
    """11, 21, 13 and 14 end nothing."""
    good = {Opcode.REGISTERED, Opcode.LOGGED_IN, Opcode.ACCEPTED, Opcode.REFUSED}
    assert good.isdisjoint(REFUSALS)
