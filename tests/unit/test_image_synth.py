"""Synthetic images, signature tails and the check of a 2.1.1_0159."""

import hashlib
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mitherm.errors import UsageProblem
from mitherm.image import tail
from mitherm.image.inspect import inspect
from mitherm.image.recognise import SYNTHETIC_MARK, recognise
from mitherm.image.shipped import shipped_catalogue
from mitherm.image.sign_file import SignFile
from mitherm.image.signature import Signature
from mitherm.image.synth import package, sign_file, synth, with_tail
from mitherm.image.tail import Tail, verify
from mitherm.image.telink import pad, trailer

CHECK_VALUES = {
    "stock-1.0.0_0109": "779aa7345e12c77d01b0f7a355337cc0d710eea1ee45197d70459d4e36cca206",
    "stock-1.0.0_0130": "f325434d2b7d4ab0e882d093dbdba332f406c3020c9bbc71ebbaabaf41d03acd",
    "stock-2.1.1_0159": "e22dc22a4c9a5189fb3c5eb9b59c0885fe245c0be4377620ee8425ff2ac054cf",
    "stock-2.1.1_0159_B1.6": "761da255f6c6e7dbb8b45f9ffe67d443100bf3219e22b7cda5a734ed8bce4b24",
    "atc1441": "6142c8ab3d8c4cd17a4ae09ec9406bbef66d374080217cab27235d218d5cdc44",
    "pvvx-5.8": "2a020590a5019cba58ba0a2b0eb71a879c9e15cff4b557c7272870332ff2daea",
}
SIGNED = package("stock-2.1.1_0159")
IMAGE = synth("stock-2.1.1_0159")
START = len(IMAGE)
PVVX = synth("pvvx-5.8")
EXPLOIT = sign_file().apply(PVVX)


def patched(data: bytes, offset: int, value: bytes) -> bytes:
    """A copy with some bytes replaced."""
    return data[:offset] + value + data[offset + len(value) :]


@pytest.mark.parametrize("kind", CHECK_VALUES)
def test_check_values(kind: str) -> None:
    """The image part of each KIND has the SHA-256 of virtual-unit.md 4."""
    assert hashlib.sha256(synth(kind)).hexdigest() == CHECK_VALUES[kind]


@pytest.mark.parametrize("kind", ["stock-1.0.0", "stock-1.0.0_0130_B1.6", "pvvx-5", "sign-1", "", "atc1441 "])
def test_unknown_kind(kind: str) -> None:
    """A KIND nobody defined is a usage problem."""
    with pytest.raises(UsageProblem):
        package(kind)


def test_no_pvvx_for_unknown_model() -> None:
    """pvvx has builds for known models only."""
    with pytest.raises(UsageProblem):
        synth("pvvx-5.8", "TOASTER")


@pytest.mark.parametrize(
    ("kind", "model", "expected"),
    [(kind, "LYWSD03MMC", kind) for kind in CHECK_VALUES]
    + [
        ("stock-1.0.0_0010", "MHO-C401", "stock-1.0.0_0010"),
        ("stock-2.1.1_0009", "MJWSD06MMC", "stock-2.1.1_0009"),
        ("stock-1.1.1_0223", "CGDK2", "stock-1.1.1_0223"),
        ("pvvx-4.9", "CGDK2", "pvvx-4.9"),
        ("pvvx-5.8", "MJWSD06MMC", "pvvx-5.8"),
    ],
)
def test_recognised_without_the_mark(kind: str, model: str, expected: str) -> None:
    """The general rules give family, version and model of a synthetic image whose mark is gone."""
    image = synth(kind, model)
    bare = image.replace(SYNTHETIC_MARK, bytes(len(SYNTHETIC_MARK)), 1)
    seen, known = recognise(bare, shipped_catalogue()), recognise(image, shipped_catalogue())
    assert known.synthetic and not seen.synthetic
    assert (seen.family, seen.version, seen.model, seen.device_id, seen.build) == (
        known.family,
        known.version,
        known.model,
        known.device_id,
        known.build,
    )
    version = expected.partition("-")[2].removesuffix("_B1.6") or None
    assert (seen.model, seen.version) == (model, version)


def test_the_package_is_stable() -> None:
    """Certificates and signatures come out the same every time."""
    assert package.__wrapped__("stock-2.1.1_0159") == SIGNED
    assert len(SIGNED) % 16 == 0


def test_tail_layout() -> None:
    """Tag of 4C bytes, product id, TLVs in the order of the genuine package, right CRC."""
    found = Tail.from_bytes(SIGNED[START:])
    assert len(found.tag) == 0x4C
    assert (found.product_id, found.firmware_size, found.version) == (0x055B, START, "2.1.1_0159")
    assert [kind for kind, _ in found.tlvs] == [1, 4, 6, 3, 5]
    assert found.tag_crc_ok(IMAGE)
    assert found.root == tail.SYNTHETIC_ROOT
    assert len(found.signature) <= 72 + 15


def test_a_tail_put_together_by_hand() -> None:
    """Every field where firmware-image.md 5 has it, no two of them alike; the version as it stands in the genuine 0159c."""
    tag = bytes.fromhex("000000004d49ef54464f544182562647 2700 5b05 d4970100 0300 01 00 0105 0201019f00 11223344")
    cut = Tail.from_bytes(tag + b"PEM" + b"DER and more")
    assert (cut.tag, cut.product_id, cut.firmware_size, cut.flags) == (tag, 0x055B, 104_404, 1)
    assert (cut.certificates, cut.signature, cut.version) == (b"PEM", b"DER and more", "2.1.1_0159")


@pytest.mark.parametrize("build", ["c", "B1.6"])
def test_signed_package_is_accepted(build: str) -> None:
    """Both builds take the signed package, also with the boot mark withheld."""
    assert verify(SIGNED, build=build) == tail.Verdict(True, "signed")
    assert verify(patched(SIGNED, 8, b"\xff"), build=build).accepted


FORGERIES = {
    "no-tail": IMAGE,
    "tag": patched(SIGNED, START + 0x10, struct.pack("<H", 31)),
    "product": patched(SIGNED, START + 0x12, b"\xb5\x55"),
    "overlong": SIGNED + b"\xff" * 64,
    "certificate": patched(SIGNED, START + 0x4C + 400, b"AAAA"),
    "signature": patched(SIGNED, 5000, b"?"),
}


@pytest.mark.parametrize("reason", FORGERIES)
def test_forged_tails_are_refused(reason: str) -> None:
    """Each forgery fails at its own step."""
    assert verify(FORGERIES[reason], build="c") == tail.Verdict(False, reason)


def test_other_damage_to_the_tail() -> None:
    """A changed tag, a short tag length, a missing certificate or a cut signature is refused."""
    assert verify(patched(SIGNED, START + 0x20, b"\x09"), build="c").reason == "signature"
    assert verify(patched(SIGNED, START + 0x10, b"\xff\xff"), build="c").reason == "tag"
    assert verify(patched(SIGNED, START + 0x18, b"\x10\x02"), build="c").reason == "overlong"
    assert verify(SIGNED[: START + 0x4C + 600], build="c").reason == "certificate"
    end = len(SIGNED) - len(Tail.from_bytes(SIGNED[START:]).signature)
    for length in (0, 1, 20, 69):
        assert verify(SIGNED[: end + length], build="c").reason == "signature"


def test_foreign_root_is_refused() -> None:
    """Without the synthetic root the certificates prove nothing."""
    assert verify(SIGNED, build="c", roots=(tail.XIAOMI_ROOT,)).reason == "certificate"


def test_exploit_works_on_build_c_only() -> None:
    """An overlong tail with the jump target gets through on c and fails elsewhere."""
    assert verify(EXPLOIT, build="c") == tail.Verdict(True, "exploit")
    assert verify(EXPLOIT, build="B1.6") == tail.Verdict(False, "overlong")
    at = EXPLOIT.rindex(tail.EXPLOIT)
    assert verify(patched(EXPLOIT, at, b"\0\0\0\0"), build="c") == tail.Verdict(False, "overlong")


def test_the_last_tail_counts() -> None:
    """The magic is searched backwards."""
    assert verify(SIGNED + tail.MAGIC, build="c").reason == "tag"


@settings(max_examples=60, deadline=None)
@given(st.integers(START, len(SIGNED) - 1), st.integers(1, 255))
def test_changed_tails(at: int, change: int) -> None:
    """A changed byte of tag or signature is refused; in the PEM text the check at least never crashes."""
    whole = Tail.from_bytes(SIGNED[START:])
    verdict = verify(patched(SIGNED, at, bytes([SIGNED[at] ^ change])), build="B1.6")
    signature_at = at - START - len(whole.tag) - len(whole.certificates)
    if at - START < len(whole.tag) or 0 <= signature_at < 2 + whole.signature[1]:
        assert not verdict.accepted


@settings(max_examples=40, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_behind_the_magic(noise: bytes) -> None:
    """A tail of noise is refused, whatever it is."""
    assert not verify(IMAGE + tail.MAGIC + noise, build="B1.6").accepted


def test_sign_file_content() -> None:
    """The synthetic sign file: padded tail, 3808 filler bytes, two words."""
    read = SignFile.from_bytes(package("sign-2.1.1_0159"))
    assert (read.filler, read.patches) == (3808, ((0x142, 0x00012313), (0x152, 0x000124A7)))
    assert read.block[2:] == SIGNED[START + 2 :]


def test_synthetic_tail_marks_any_image() -> None:
    """A genuine-looking custom image with a tail under the synthetic root counts as synthetic."""
    bare = bytearray(PVVX[:-4].replace(SYNTHETIC_MARK, bytes(len(SYNTHETIC_MARK))))
    image = bytes(bare) + trailer(bytes(bare)).to_bytes(4, "little")
    assert not inspect(image).synthetic
    for file in (with_tail(image), sign_file().apply(image)):
        assert inspect(file).synthetic
    assert inspect(with_tail(image)).signature is Signature.GENUINE
    assert inspect(sign_file().apply(image)).signature is Signature.FORGED
    assert inspect(sign_file().apply(image)).exploit


def test_signed_is_three_valued() -> None:
    """No tail: false; a good one: true; a damaged one: null."""
    assert inspect(IMAGE).signature is Signature.NONE
    assert inspect(SIGNED).signature is Signature.GENUINE
    assert inspect(pad(FORGERIES["certificate"])).signature is Signature.FORGED
    assert inspect(FORGERIES["tag"]).refusal == "tag"
