"""Encoders against the frames the firmware sent, and back through the decoder."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mitherm.beacon import BeaconKey, Reading, decode
from mitherm.beacon import bthome_encode as bthome
from mitherm.beacon import custom_encode as custom
from mitherm.beacon import mibeacon_encode as mi
from mitherm.beacon.custom_encode import SensorValues
from mitherm.model.address import Address
from mitherm.primitives.secret import Secret

A = Address.parse("A4:C1:38:56:53:84")
B = Address.parse("A4:C1:38:0A:0B:0C")
KEY = BeaconKey(Secret.from_hex("b9ea895fac7eea6d30532432a516f3a3"))
OTHER = BeaconKey(Secret.from_hex("00112233445566778899aabbccddeeff"))
M = SensorValues(2137, 5512, 2987, 98)

FRAMES = {
    "atc1441 rounds": (custom.pvvx_atc1441(A, SensorValues(2095, 4949, 2987, 98), 66), "a4c13856538400d231620bab42"),
    "atc1441 truncates": (custom.pvvx_atc1441(A, SensorValues(-105, 5012, 2987, 98), 1), "a4c138565384fff632620bab01"),
    "pvvx": (custom.pvvx_custom(A, SensorValues(2345, 5012, 2987, 98), 1, 0x7F), "84535638c1a429099413ab0b62017f"),
    "pvvx-enc": (custom.pvvx_custom_encrypted(A, M, 17, 5, KEY), "116f928bff8eb2470d8b21"),
    "pvvx-enc negative": (
        custom.pvvx_custom_encrypted(B, SensorValues(-1234, 1, 0, 100), 255, 0x1F, OTHER),
        "ffd9d39e03975740e3b7e5",
    ),
    "atc1441-enc": (custom.atc1441_encrypted(A, M, 17, KEY), "11720196500bef63"),
    "atc1441-enc trigger": (custom.atc1441_encrypted(A, M, 18, KEY, trigger_on=True), "1202942ff93e0d74"),
    "atc1441-enc negative": (
        custom.atc1441_encrypted(B, SensorValues(-105, 5000, 0, 37), 20, OTHER),
        "14c12937e96a6d63",
    ),
    "event count": (custom.event_count(131844), "020304"),
    "mi idle": (mi.MiBeacon(0x055B, 0xBF, Address.parse("A4:C1:38:2F:87:6B"), 8).plain(), "30585b05bf6b872f38c1a408"),
    "mi idle, 2-byte I/O": (
        mi.MiBeacon(0x055B, 1, Address.parse("A4:C1:38:ED:81:5A"), 0x28, 1).plain(),
        "30585b05015a81ed38c1a4280100",
    ),
    "mi climate": (mi.MiBeacon(0x055B, 10, A, objects=mi.mi_climate(-10, 501)).plain(), "50585b050a84535638c1a40d1004f6fff501"),
    "mi battery": (mi.MiBeacon(0x055B, 11, A, objects=mi.mi_battery(98)).plain(), "50585b050b84535638c1a40a100162"),
    "mi door": (mi.MiBeacon(0x055B, 2, objects=mi.mi_opening(opened=True)).plain(), "40585b050219100100"),
    "mi counter encrypted": (
        mi.MiBeacon(0x055B, 4098, objects=mi.mi_count(7)).encrypted(A, KEY),
        "48585b0502a80ba8d91c20d710000015ad40b0",
    ),
    "mi humidity encrypted": (
        mi.MiBeacon(0x055B, 4, A, objects=mi.mi_humidity(501)).encrypted(A, KEY),
        "58585b050484535638c1a4b920d28ca30000008c150a55",
    ),
    "mi temperature encrypted": (
        mi.MiBeacon(0x055B, 3, A, objects=mi.mi_temperature(211)).encrypted(A, KEY),
        "58585b050384535638c1a42aa82b54e1000000bc1ba3f2",
    ),
    "mi-like": (
        mi.MiBeacon(0x055B, 36, Address.parse("A4:C1:38:00:AE:2A"), objects=mi.mi_like_battery(42), version=3, auth_mode=0).plain(),
        "50305b05242aae0038c1a40a10012a000000",
    ),
    "bthome kind 1": (bthome.bthome2(bthome.pvvx_kind1(M), 0), "4000000162025908038815"),
    "bthome kind 2": (bthome.bthome2(bthome.pvvx_kind2(2987, output=True, opened=True), 256), "4000000cab0b10011101"),
    "bthome event": (bthome.bthome2(bthome.pvvx_event(66051, opened=True), 2), "40000211013e03020100"),
    "bthome kind 1 encrypted": (
        bthome.bthome2_encrypted(bthome.pvvx_kind1(M), 1000, A, KEY),
        "412510d3dab3b0e852e8030000e89015eb",
    ),
    "bthome kind 2 encrypted": (
        bthome.bthome2_encrypted(bthome.pvvx_kind2(2987, output=True, opened=False), 1000, A, KEY),
        "4128d9da93baa260e80300004aa361a8",
    ),
    "bthome v1 kind 2": (bthome.bthome1(bthome.pvvx_old_kind2(3006, output=False), 180), "0200b4021000030cbe0b"),
}  # fmt: skip


@pytest.mark.parametrize("name", FRAMES)
def test_frames_of_the_firmware(name: str) -> None:
    """The encoder gives the bytes the firmware sent."""
    built, sent = FRAMES[name]
    assert built.hex() == sent


def test_rounding_is_towards_zero() -> None:
    """pvvx: -1.05 C becomes -1.0, -0.04 C becomes 0.0, 20.95 C becomes 21.0."""
    assert [custom.tenths(value) for value in (-105, -4, 2095, -106, 4)] == [-10, 0, 210, -10, 0]


measured = st.builds(
    SensorValues, st.integers(-4000, 12500), st.integers(0, 10000), st.integers(1800, 3600), st.integers(0, 100)
)


@settings(max_examples=60)
@given(measured, st.integers(0, 1 << 32), st.integers(0, 127))
def test_what_is_sent_is_read(sent: SensorValues, counter: int, flags: int) -> None:
    """Values survive pvvx custom, plain and encrypted, and BTHome v1 and v2 exactly."""
    kind1 = bthome.pvvx_kind1(sent)
    frames = [
        (0x181A, custom.pvvx_custom(A, sent, counter, flags)),
        (0x181A, custom.pvvx_custom_encrypted(A, sent, counter, flags, KEY)),
        (0xFCD2, bthome.bthome2(kind1, counter, mac=A)),
        (0xFCD2, bthome.bthome2_encrypted(kind1, counter % (1 << 32), A, KEY)),
        (0x181C, bthome.bthome1(kind1, counter)),
        (0x181E, bthome.bthome1_encrypted(kind1, counter % (1 << 32), A, KEY)),
    ]
    for uuid, data in frames:
        reading = decode(uuid, data, A, KEY)
        assert isinstance(reading, Reading)
        assert reading.temperature_c == sent.temperature_x100 / 100
        assert reading.humidity_pct == sent.humidity_x100 / 100
        assert reading.battery_pct == sent.battery_pct
        assert not reading.undecoded


def test_a_wrong_key_length_is_refused_by_the_encoder() -> None:
    """Only 16-byte keys encrypt."""
    with pytest.raises(ValueError, match="16 bytes"):
        custom.pvvx_custom_encrypted(A, M, 1, 0, BeaconKey(Secret(bytes(12))))
