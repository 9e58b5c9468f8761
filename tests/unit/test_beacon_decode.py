"""Edges of the decoder contract (beacons.md 9) that the vectors do not show."""

import struct
from typing import Any

import pytest

from mitherm.beacon import BeaconKey, DecodeFailure, Reading, decode, decode_event
from mitherm.beacon.bthome_encode import bthome2_encrypted, pvvx_kind1
from mitherm.beacon.custom_encode import SensorValues, pvvx_custom_encrypted
from mitherm.beacon.mibeacon_encode import MiBeacon, mi_battery, mi_object, mi_opening, mi_temperature
from mitherm.model.address import Address
from mitherm.primitives.secret import Secret

A = Address.parse("A4:C1:38:56:53:84")
KEY = BeaconKey(Secret.from_hex("b9ea895fac7eea6d30532432a516f3a3"))
SHORT = BeaconKey(Secret(bytes(12)))
M = SensorValues(2137, 5512, 2987, 98)


def _fields(uuid: int, data: bytes | str, key: BeaconKey | None = None, address: Address | None = A) -> dict[str, Any]:
    found = decode(uuid, bytes.fromhex(data) if isinstance(data, str) else data, address, key)
    assert isinstance(found, Reading), found
    return found.fields()


def _error(uuid: int, data: bytes | str, key: BeaconKey | None = None, address: Address | None = A) -> str:
    found = decode(uuid, bytes.fromhex(data) if isinstance(data, str) else data, address, key)
    assert isinstance(found, DecodeFailure), found
    return found.error


MI = MiBeacon(0x055B, 1, objects=mi_temperature(211)).encrypted(A, KEY)


@pytest.mark.parametrize(
    ("uuid", "data", "error"),
    [
        (0x1234, "00", "uuid"),
        (0x2A56, "0102", "length"),
        (0x2AEB, "0102", "length"),
        (0x181A, "00" * 14, "length"),
        (0xFE95, "50585b05", "truncated"),
        (0xFE95, "50585b0501aabbccddee", "truncated"),
        (0xFE95, "20585b0501", "truncated"),
        (0xFE95, "20585b05012801", "truncated"),
        (0xFE95, "40585b05010410", "truncated"),
        (0xFE95, "48585b0501" + "00" * 8, "truncated"),
        (0xFE95, "4830b603d2" + "00" * 6, "truncated"),
        (0xFE95, "40105b0501041002d200", "version"),
        (0xFE95, "80005b0501", "mesh"),
        (0xFCD2, "", "truncated"),
        (0xFCD2, "42b2188d38c1", "truncated"),
        (0xFCD2, "41" + "00" * 8, "truncated"),
        (0xFCD2, "60", "version"),
        (0x181E, "00" * 9, "truncated"),
        (0xFDCD, "08" * 7, "truncated"),
    ],
)
def test_errors(uuid: int, data: str, error: str) -> None:
    """A missing field that the head announces, or a strange head, has its name."""
    assert _error(uuid, data, KEY) == error


ENCRYPTED = [
    (0x181A, pvvx_custom_encrypted(A, M, 1, 0, KEY)),
    (0x181A, bytes(8)),
    (0xFE95, MI),
    (0xFCD2, bthome2_encrypted(pvvx_kind1(M), 1, A, KEY)),
    (0x181E, bytes(12)),
]


@pytest.mark.parametrize(("uuid", "data"), ENCRYPTED)
def test_key_errors(uuid: int, data: bytes) -> None:
    """No key, a key of wrong length, a wrong key, and no address have their names."""
    assert _error(uuid, data) == "no-key"
    assert _error(uuid, data, SHORT) == "key-length"
    assert _error(uuid, data, BeaconKey(Secret(bytes(16)))) == "auth-failed"
    assert _error(uuid, data, KEY, None) == "no-address"


def test_legacy_wants_twelve_bytes() -> None:
    """MiBeacon v3 encrypted with a 16-byte key is key-length; a wrong 12-byte key breaks the framing."""
    data = bytes.fromhex("5830b603d28b98c54124f8c3491476757e00000099")
    assert _error(0xFE95, data, KEY) == "key-length"
    assert _error(0xFE95, data, SHORT) == "auth-failed"


def test_unreadable_frames_tell_the_product() -> None:
    """Without a key the head of a MiBeacon frame is still known."""
    found = decode(0xFE95, MI, A)
    assert isinstance(found, DecodeFailure)
    assert found.mi is not None
    assert (found.mi.product_id, found.mi.encrypted) == (0x055B, True)


def test_the_mac_inside_goes_before_the_senders() -> None:
    """An encrypted frame with MAC is read whoever sent it, and says so."""
    data = MiBeacon(0x055B, 1, A, objects=mi_temperature(211)).encrypted(A, KEY)
    other = Address.parse("A4:C1:38:00:00:01")
    fields = _fields(0xFE95, data, KEY, other)
    assert (fields["mac"], fields["mac_mismatch"], fields["temperature"]) == (str(A), True, 21.1)
    assert _fields(0xFE95, data, KEY, None)["mac_mismatch"] is False


def test_a_cut_object_keeps_the_earlier_ones() -> None:
    """MiBeacon, BTHome and Qingping: what is complete stays, the rest is `undecoded`."""
    mi = MiBeacon(0x055B, 1, objects=mi_temperature(211) + mi_object(0x1006, b"\x01\x02")[:-1]).plain()
    assert (_fields(0xFE95, mi)["temperature"], _fields(0xFE95, mi)["undecoded"]) == (21.1, "06100201")
    v2 = _fields(0xFCD2, "400163025908" + "0388")
    assert (v2["battery"], v2["temperature"], v2["undecoded"]) == (99, 21.37, "0388")
    assert _fields(0x181C, "02015d" + "2302ca")["undecoded"] == "2302ca"
    assert _fields(0xFDCD, "0807b24410342d58" + "0104ca004502" + "0202")["undecoded"] == "0202"


def test_an_unknown_bthome_id_ends_the_frame() -> None:
    """v2 does not know its length, so everything from there is undecoded."""
    assert _fields(0xFCD2, "4001" + "63" + "ee0102")["undecoded"] == "ee0102"


def test_unknown_mibeacon_objects_are_kept() -> None:
    """Also a known id of a strange length."""
    data = MiBeacon(0x055B, 1, objects=mi_object(0x1234, b"\x01") + mi_object(0x1004, b"\x01\x02\x03")).plain()
    assert _fields(0xFE95, data)["unknown_objects"] == {"1234": "01", "1004": "010203"}


def test_zeros_behind_objects_are_padding() -> None:
    """Any number of them, in plain and encrypted frames."""
    for count in range(6):
        frame = MiBeacon(0x055B, 1, objects=mi_battery(42) + bytes(count))
        assert _fields(0xFE95, frame.plain())["battery"] == 42
        assert not {"undecoded", "unknown_objects"} & _fields(0xFE95, frame.encrypted(A, KEY), KEY).keys()


@pytest.mark.parametrize(("state", "opening"), [(0, True), (1, False), (2, True), (3, None)])
def test_door_states(state: int, opening: bool | None) -> None:
    """0 and 2 are open, 1 closed, 3 says nothing."""
    data = MiBeacon(0x055B, 1, objects=mi_object(0x1019, bytes((state,)))).plain()
    assert _fields(0xFE95, data).get("opening") is opening
    assert _fields(0xFE95, MiBeacon(1, 1, objects=mi_opening(opened=True)).plain())["opening"] is True


def test_floats_are_the_decimals_that_were_meant() -> None:
    """float32 26.1 is 26.1; not-a-number is no value."""
    data = MiBeacon(0x2542, 1, objects=mi_object(0x4801, struct.pack("<f", 26.1))).plain()
    assert _fields(0xFE95, data)["temperature"] == 26.1
    data = MiBeacon(0x2542, 1, objects=mi_object(0x4801, struct.pack("<f", float("nan")))).plain()
    assert "temperature" not in _fields(0xFE95, data)


@pytest.mark.parametrize("number", [0x4A01, 0x4E01])
def test_battery_low(number: int) -> None:
    """A boolean of its own, never a percentage."""
    fields = _fields(0xFE95, MiBeacon(0x2542, 1, objects=mi_object(number, b"\x01")).plain())
    assert fields["battery_low"] is True
    assert "battery" not in fields


def test_hundredths_are_exact() -> None:
    """A reading prints with the digits that were sent."""
    for raw in range(-2000, 8600):
        value = _fields(0xFCD2, b"\x40\x02" + raw.to_bytes(2, "little", signed=True))["temperature"]
        assert f"{value:.2f}" == f"{'-' * (raw < 0)}{abs(raw) // 100}.{abs(raw) % 100:02d}"
        assert len(repr(value)) <= 6


@pytest.mark.parametrize(
    ("data", "name", "value"),
    [
        ("3a81", "button", "hold_release"),
        ("3a44", "button", 0x44),
        ("3c0205", "dimmer", {"event": "rotate_right", "steps": 5}),
        ("3be20102ff", "command", {"opcode": 1, "arguments": "02ff"}),
        ("5403010203", "raw", "010203"),
        ("5300", "text", ""),
        ("58ef", "temperature", -5.95),
        ("57ee", "temperature", -18),
        ("04138a01", "pressure", 1008.83),
        ("0b021b00", "power_w", 69.14),
        ("1001", "power", True),
        ("f0010f", "device_type_id", 0x0F01),
        ("f100010204", "firmware", "4.2.1.0"),
        ("f2000106", "firmware", "6.1.0"),
    ],
)
def test_special_bthome_objects(data: str, name: str, value: object) -> None:
    """Objects that are no plain numbers."""
    assert _fields(0xFCD2, "40" + data)[name] == value


@pytest.mark.parametrize("data", ["53", "530c48", "3b", "3b0201", "5405aa"])
def test_cut_objects_of_variable_length(data: str) -> None:
    """Nothing of a cut text, command or raw object is used."""
    assert _fields(0xFCD2, "40" + data)["undecoded"] == data


@pytest.mark.parametrize(
    ("data", "name", "value"),
    [
        ("2302d0f7", "temperature", -20.96),
        ("43020040", "temperature", 0.02),
        ("4502" + struct.pack("<f", 2550.0).hex(), "temperature", 25.5),
        ("021001", "power", True),
        ("023a01", "button", "press"),
        ("a550" + "5d396164", "timestamp", 1684093277),
        ("65534162" + "6364", "text", "Abcd"),
        ("86845356" + "38c1a4", "mac", str(A)),
        ("02ee01", "unknown_objects", {"ee": "01"}),
        ("44020001" + "02", "unknown_objects", {"02": "000102"}),
        ("e20201", "unknown_objects", {"02": "01"}),
        ("033a0102", "unknown_objects", {"3a": "0102"}),
    ],
)
def test_v1_formats(data: str, name: str, value: object) -> None:
    """v1: signed, half and single float, boolean, event, time, text, MAC; unknown ids are skipped by their length."""
    fields = _fields(0x181C, data + "02015d")
    assert fields[name] == value
    assert fields["battery"] == 93


def test_v1_knows_a_foreign_mac() -> None:
    """A MAC object that is not the sender's is reported, plain and encrypted alike."""
    assert _fields(0x181C, "86" + "010203040506")["mac_mismatch"] is True
    assert _fields(0x181C, "02015d").keys() == {"format", "encrypted", "battery"}


def test_event_pair_is_one_reading() -> None:
    """Flags and count of one advertisement join; anything else in it is an error."""
    pair = decode_event([(0x2A56, b"\x41"), (0x2AEB, b"\x00\x00\x07")])
    assert isinstance(pair, Reading)
    assert pair.fields()["count"] == 7
    assert pair.fields()["flags"]["reed2"] is True
    assert decode_event([(0x2A56, b"\x41"), (0x181A, b"")]) == DecodeFailure("uuid")
    assert decode_event([]) == DecodeFailure("truncated", "pvvx-event")
    assert decode_event([(0x2A56, b"")]) == DecodeFailure("length", "pvvx-event")


def test_first_of_several() -> None:
    """The shortcuts give the first value, or None."""
    found = decode(0xFCD2, bytes.fromhex("4002ca0902cf09"))
    assert isinstance(found, Reading)
    assert (found.temperature_c, found.humidity_pct, found.battery_pct, found.voltage_v) == (25.06, None, None, None)
    assert found.address is None


def test_qingping_packet_id_and_strange_lengths() -> None:
    """Object 0F is the packet id; known ids of other lengths are unknown objects."""
    fields = _fields(0xFDCD, "0807b24410342d58" + "0f0107" + "010102" + "02020102")
    assert fields["packet_id"] == 7
    assert fields["unknown_objects"] == {"01": "02", "02": "0102"}


def test_idle_frames_of_encrypting_units_need_no_key() -> None:
    """The encryption bit without objects leaves nothing to decrypt."""
    fields = _fields(0xFE95, "1858" + "5b0501" + A.reversed.hex())
    assert fields["encrypted"] is True
    assert "counter" not in fields


def test_keys_stay_secret() -> None:
    """The key does not show in its text form."""
    assert "b9ea" not in repr(KEY)
    assert KEY.secret.reveal().hex() not in str(KEY)
