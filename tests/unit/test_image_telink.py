"""Telink images, containers and sign files: parsing, damage, building."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mitherm.errors import BadFile, ImageCorrupt, NotAnImage
from mitherm.image.container import ZigbeeContainer
from mitherm.image.inspect import inspect, verify
from mitherm.image.sign_file import SignFile
from mitherm.image.synth import package, sign_file, synth
from mitherm.image.telink import Header, TelinkImage, finalise, pad

PVVX = synth("pvvx-5.8")
SIGNED = package("stock-2.1.1_0159")
SMALL = finalise(b"\x26\x80" + bytes(6) + b"KNLT" + bytes(200))
BOXED = ZigbeeContainer.wrap(SMALL, text=b"box").to_bytes()


def test_header_words() -> None:
    """The header of a pvvx image names maker, type and size."""
    header = Header.parse(PVVX)
    assert (header.manufacturer, header.image_type, header.file_version) == (0x1141, 0x020A, 0x99993001)
    assert header.size == len(PVVX) == 86340


def test_image_and_rest_are_separated() -> None:
    """What follows the size field is not part of the image."""
    image = TelinkImage.parse(SIGNED)
    assert len(image.data) == 104404
    assert image.data + image.rest == SIGNED


@pytest.mark.parametrize(
    ("data", "error", "words"),
    [
        (b"", NotAnImage, "empty"),
        (b"KNLT", NotAnImage, "only 4 bytes"),
        (bytes(100), NotAnImage, "cleared"),
        (b"x" * 100, NotAnImage, "not at offset 8"),
        (PVVX[:8] + b"\xff" + PVVX[9:], NotAnImage, "broke off"),
        (PVVX[:-1], ImageCorrupt, "truncated"),
        (PVVX[:0x18] + bytes(4) + PVVX[0x1C:], ImageCorrupt, r"16n \+ 4"),
        (PVVX[:-1] + bytes([PVVX[-1] ^ 1]), ImageCorrupt, "checksum"),
        (BOXED[:-1], ImageCorrupt, "head says"),
        (BOXED[:40], ImageCorrupt, "truncated"),
        (BOXED[:4] + b"\x01\x01" + BOXED[6:], ImageCorrupt, "unknown Zigbee OTA head"),
        (BOXED[:100] + b"\x77" + BOXED[101:], ImageCorrupt, "checksum"),
        (package("sign-2.1.1_0159"), NotAnImage, "sign file"),
        (package("sign-2.1.1_0159")[:-1], ImageCorrupt, "whole records"),
        (package("sign-2.1.1_0159")[:500], ImageCorrupt, "announces a block"),
    ],
)
def test_unsound_files_are_named(data: bytes, error: type[BadFile], words: str) -> None:
    """Each kind of damage is refused in words that say which."""
    with pytest.raises(error, match=words):
        verify(data)
    assert inspect(data).crc_ok is not True
    assert inspect(data).warnings


def test_sound_files_pass() -> None:
    """Plain, signed, wrapped and dumped images verify."""
    for data in (PVVX, SIGNED, SMALL, BOXED, PVVX.ljust(0x80000, b"\xff")):
        assert verify(data).crc_ok is True


@settings(max_examples=60, deadline=None)
@given(st.integers(0, len(SMALL) * 8 - 1))
def test_every_bit_matters(bit: int) -> None:
    """No single flipped bit of an image goes unseen."""
    data = bytearray(SMALL)
    data[bit // 8] ^= 1 << bit % 8
    if bit // 8 == 8:
        with pytest.raises(NotAnImage):
            TelinkImage.parse(bytes(data))
    else:
        with pytest.raises(BadFile):
            TelinkImage.parse(bytes(data))


@settings(max_examples=150, deadline=None)
@given(st.sampled_from([SMALL, BOXED, package("sign-2.1.1_0159")]), st.data())
def test_damage_never_crashes(file: bytes, data: st.DataObject) -> None:
    """Cut and scribbled files give a verdict, never another exception."""
    end = data.draw(st.integers(0, len(file)))
    at = data.draw(st.integers(0, len(file)))
    damaged = file[:at] + data.draw(st.binary(max_size=8)) + file[at + data.draw(st.integers(0, 8)) : end]
    found = inspect(damaged)
    assert found.size == len(damaged)
    assert (found.problem is None) == (found.crc_ok is True)


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=400))
def test_noise_is_no_image(noise: bytes) -> None:
    """Random bytes are not an image and do no harm."""
    assert inspect(noise).kind == "not-an-image"


@settings(max_examples=40, deadline=None)
@given(st.binary(max_size=100), st.integers(0, 0xFFFF), st.integers(0, 0xFFFFFFFF), st.binary(max_size=31))
def test_container_round_trip(body: bytes, number: int, version: int, text: bytes) -> None:
    """What is wrapped comes out again."""
    image = finalise(b"\x26\x80" + bytes(6) + b"KNLT" + bytes(28) + body)
    text = text.rstrip(b"\0")
    made = ZigbeeContainer.wrap(image, manufacturer=number, image_type=number, file_version=version, text=text)
    assert ZigbeeContainer.from_bytes(made.to_bytes()) == made


def test_finished_image_is_left_alone() -> None:
    """Finalising twice is finalising once."""
    assert finalise(SMALL) == SMALL
    with pytest.raises(ImageCorrupt):
        finalise(SMALL[:-1] + bytes([SMALL[-1] ^ 1]))


@settings(max_examples=50, deadline=None)
@given(
    st.binary(min_size=60, max_size=200),
    st.integers(8, 5000),
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 0xFFFFFFFF)), max_size=5),
)
def test_sign_file_round_trip(noise: bytes, filler: int, patches: list[tuple[int, int]]) -> None:
    """Any template survives encoding and decoding."""
    magic = bytes.fromhex("00004d49ef54464f544182562647")
    block = (len(noise) + 16).to_bytes(2, "little") + magic + noise
    template = SignFile(block, filler, tuple(patches))
    assert SignFile.from_bytes(template.to_bytes()) == template
    assert SignFile.from_bytes(block) == SignFile(block)


def test_sign_file_leaves_signed_images_alone() -> None:
    """A file that has a tail gets no second one; another gets one and is padded."""
    assert sign_file().apply(SIGNED) == SIGNED
    applied = sign_file().apply(PVVX)
    assert len(applied) % 16 == 0 and applied.startswith(PVVX)
    assert applied[len(PVVX) + 0x14 :][:4] == len(PVVX).to_bytes(4, "little")


def test_padding() -> None:
    """Padding is FF up to a multiple of 16."""
    assert pad(b"a" * 17) == b"a" * 17 + b"\xff" * 15
    assert pad(b"a" * 16) == b"a" * 16
