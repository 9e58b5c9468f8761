"""Recognition, catalogue, boot rules, known-bad table, inspection of whole files."""

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mitherm.image import boot_rules
from mitherm.image.boot_rules import Board, BootVerdict
from mitherm.image.container import ZigbeeContainer
from mitherm.image.inspect import inspect
from mitherm.image.known_bad import UnitFacts, known_bad
from mitherm.image.recognise import Identity, recognise
from mitherm.image.shipped import shipped_catalogue
from mitherm.image.signature import Signature
from mitherm.image.synth import package, synth
from mitherm.image.telink import STARTUP, pad, trailer
from mitherm.model.family import Family
from mitherm.model.models import PVVX_DEVICES, version_key

CATALOGUE = shipped_catalogue()


def boot(bank: bytes) -> BootVerdict:
    return boot_rules.boot_verdict(bank, CATALOGUE)


def runs_on(verdict: BootVerdict, model: str, hardware: str) -> Board:
    return boot_rules.runs_on(verdict, model, hardware, CATALOGUE)


PVVX = synth("pvvx-5.8")
OLD_BOARDS = ("B1.4", "B1.5", "B1.6", "B1.7", "B1.9", "B2.0")
NEW_BOARD = "B1.6-2025"


def made(*texts: str, words: tuple[int, int, int] = (0, 0, 0), startup: bytes = STARTUP, size: int = 0x1000) -> bytes:
    """An image with a true header and these texts, as other people's files are."""
    body = bytearray(size)
    head = struct.pack(
        "<2sI2s4sHH2sHHHI",
        b"\x26\x80",
        words[0],
        b"\x5d\x02",
        b"KNLT",
        0x400,
        0x88,
        b"\xae\x80",
        *words[1:],
        0,
        size + 4,
    )
    body[: len(head)] = head
    body[0x20:0x28] = startup
    joined = b"\0".join(text.encode() for text in texts)
    body[0x60 : 0x60 + len(joined)] = joined
    return bytes(body) + trailer(bytes(body)).to_bytes(4, "little")


PVVX_WORDS = (0x99993001, 0x1141, 0x020A)
QINGPING = ("CGG1", "CGG1H", "CGDK2", "CGDK2-1", "CGPR1")

CASES = [
    (made("1.0.0_0001", "LYWSD03MMC", "miaomiaoce.com", "1.0.0_0109"), "stock", "1.0.0_0109", "LYWSD03MMC"),
    (made("1.0.0_0001", "MHO-C401", "miaomiaoce.com", "1.0.0_0010"), "stock", "1.0.0_0010", "MHO-C401"),
    (made("LYWSD02MMC", "2.0.1_0021", "miaomiaoce.com"), "stock", "2.0.1_0021", "LYWSD02MMC"),
    (made(*QINGPING, "Qingping Temp RH Lite", "1.1.1_0210"), "stock", "1.1.1_0210", "CGDK2"),
    (made("Qingping Temp RH M", *QINGPING, "1.1.1_0221"), "stock", "1.1.1_0221", "CGG1M"),
    (made("1.0.1_0093", "Qingping Temp & RH M", "CGG1"), "stock", "1.0.1_0093", "CGG1"),
    (made(*QINGPING, "Qingping Motion & Light", "1.1.1_0228"), "stock", "1.1.1_0228", "CGPR1"),
    (made("1.1.1_0018", "lumi.flood.bmcn01"), "stock", "1.1.1_0018", "SJWS01LM"),
    (made("MJWSD05MMC", "0026ERR-0026"), "stock", "0026", "MJWSD05MMC"),
    (made("MJWSD06MMC", "0009ERR-0009`"), "stock", "0009", "MJWSD06MMC"),
    (made("ATC_000000", "ATC"), "atc1441", None, "LYWSD03MMC"),
    (made("ATC_000000", "miaomiaoce.com"), "unknown", None, None),
    (made("V1.3", "github.com/pvvx", "V5.7", words=PVVX_WORDS), "pvvx", "5.7", "LYWSD03MMC"),
    (made("V1.3", "nothing", words=PVVX_WORDS), "pvvx", None, "LYWSD03MMC"),
    (made("V1.1", "github.com/pvvx", "V5.8", words=(0x99993001, 0x1141, 0x0206)), "pvvx", "5.8", "CGDK2"),
    (made("github.com/pvvx", "V2.1", "LYWSD03MMC", "miaomiaoce.com"), "pvvx", "2.1", "LYWSD03MMC"),
    (made("github.com/pvvx", "V1.0", words=(0x00463001, 0x1141, 0x020A)), "zigbee", None, None),
    (made("LYWSD03MMC", words=(0x10033607, 0x1286, 0x0202)), "zigbee", None, None),
    (made("LYWSD03MMC", "miaomiaoce.com"), "unknown", None, None),
    (made("pid:1008", words=(0x00010000, 0, 0)), "unknown", None, None),
]


@pytest.mark.parametrize(("image", "family", "version", "model"), CASES)
def test_rules(image: bytes, family: str, version: str | None, model: str | None) -> None:
    """Header words and texts tell family, version and model, whatever else the image contains."""
    found = recognise(image, CATALOGUE)
    assert (found.family, found.version, found.model) == (family, version, model)


def test_older_pvvx_gets_its_device_id() -> None:
    """Builds without header words are told by the model text."""
    assert recognise(made("github.com/pvvx", "V2.1", "MHO-C401", "miaomiaoce.com"), CATALOGUE).device_id == 1


@pytest.mark.parametrize(
    ("bank", "reason"),
    [
        (b"", "empty"),
        (b"\xff" * 0x1000, "boot mark"),
        (PVVX[:-5], "truncated"),
        (PVVX[:5000] + b"\xff" * (len(PVVX) - 5000), "checksum"),
        (made("ATC_000000", startup=bytes.fromhex("0c6481a2210b1a40")), "start-up"),
        (made("ATC_000000", size=0x100), "does not start"),
        (made("ATC_000000", size=0x34010), "does not start"),
        (made("x", words=(1, 0x1286, 0x0202)), "zigbee"),
        (made("nothing"), "unknown"),
    ],
)
def test_dark_banks(bank: bytes, reason: str) -> None:
    """What would crash leaves the unit dark, with a reason."""
    verdict = boot(bank)
    assert verdict.family is Family.UNKNOWN and reason in verdict.reason
    assert runs_on(verdict, "LYWSD03MMC", "B1.4") == Board(False, "off")


def test_boot_ignores_the_flag_and_what_follows() -> None:
    """Bytes 6 and 7 and the rest of the bank make no difference."""
    body = PVVX[:6] + bytes(2) + PVVX[8:-4]
    image = body + trailer(body).to_bytes(4, "little")
    assert boot(image + b"\x12" * 5000) == boot(PVVX)


def test_boot_verdicts() -> None:
    """A bank gives the personality; an undescribed pvvx counts as 5.8."""
    verdict = boot(package("stock-2.1.1_0159") + b"\xff" * 100)
    assert (verdict.family, verdict.version, verdict.build, verdict.length) == ("stock", "2.1.1_0159", "c", 104404)
    assert boot(synth("stock-2.1.1_0159_B1.6")).build == "B1.6"
    assert boot(made("x", words=PVVX_WORDS)).version == "5.8"
    assert boot(made("LYWSD03MMC", "miaomiaoce.com", "2.1.1_0159")).build == "B1.6"
    assert boot(made("LYWSD03MMC", "miaomiaoce.com", "2.1.1_0159", size=104400)).build == "c"


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=200))
def test_boot_never_raises(noise: bytes) -> None:
    """Any bank gives a verdict."""
    assert boot(noise).family is Family.UNKNOWN
    boot(PVVX[:8] + b"KNLT" + noise)


DISPLAYS = {
    "stock-1.0.0_0109": ("B1.4",),
    "stock-1.0.0_0130": OLD_BOARDS,
    "stock-2.1.1_0159": OLD_BOARDS,
    "stock-2.1.1_0159_B1.6": (NEW_BOARD,),
    "atc1441": OLD_BOARDS,
    "pvvx-5.8": (*OLD_BOARDS, NEW_BOARD),
    "pvvx-5.5": (*OLD_BOARDS, NEW_BOARD),
    "pvvx-5.4": OLD_BOARDS,
    "pvvx-3.3": OLD_BOARDS,
    "pvvx-3.2": ("B1.4", "B1.5", "B1.7", "B2.0"),
}


@pytest.mark.parametrize("kind", DISPLAYS)
def test_displays(kind: str) -> None:
    """Every LYWSD03MMC image runs on every board; the display works where virtual-unit.md 1.1 says."""
    verdict = boot(synth(kind))
    for board in (*OLD_BOARDS, NEW_BOARD):
        display = "ok" if board in DISPLAYS[kind] else "blank"
        assert runs_on(verdict, "LYWSD03MMC", board) == Board(True, display), board


@pytest.mark.parametrize(
    ("kind", "image_model", "board_model", "expected"),
    [
        ("pvvx-5.8", "CGDK2", "LYWSD03MMC", Board(True, "blank")),
        ("pvvx-5.8", "MJWSD06MMC", "LYWSD03MMC", Board(True, "blank")),
        ("pvvx-5.8", "MHO-C401", "LYWSD03MMC", Board(False, "off")),
        ("pvvx-5.8", "CGG1", "LYWSD03MMC", Board(False, "off")),
        ("pvvx-5.8", "MJWSD05MMC", "LYWSD03MMC", Board(False, "off")),
        ("stock-1.0.0_0010", "MHO-C401", "LYWSD03MMC", Board(False, "off")),
        ("stock-1.0.0_0010", "MHO-C401", "MHO-C401", Board(True, "ok")),
        ("pvvx-5.8", "CGDK2", "CGDK2", Board(True, "ok")),
        ("pvvx-5.8", "LYWSD03MMC", "CGDK2", Board(False, "off")),
        ("atc1441", "LYWSD03MMC", "CGDK2", Board(False, "off")),
    ],
)
def test_foreign_images(kind: str, image_model: str, board_model: str, expected: Board) -> None:
    """Images of other models: LCD builds run blind, e-ink and MJWSD05MMC builds and foreign stock stay dark."""
    assert runs_on(boot(synth(kind, image_model)), board_model, "B1.4") == expected


def test_second_builds_of_a_model() -> None:
    """Device ids 7, 8 and 12 crash an LYWSD03MMC as their first builds do."""
    for device in (0x01, 0x02, 0x07, 0x08, 0x09, 0x0C):
        verdict = boot(made("github.com/pvvx", "V5.8", words=(0x99993001, 0x1141, 0x0200 | device)))
        assert verdict.device_id == device
        assert not runs_on(verdict, "LYWSD03MMC", "B1.4").runs
        assert runs_on(verdict, PVVX_DEVICES[device], "").runs


def test_catalogue_lookups() -> None:
    """Files are found by name, by their own hash and by the hash of their image part."""
    signed = CATALOGUE.by_name("Stock_fw_2.1.1_0159")
    assert signed is not None and signed.signature is Signature.GENUINE and signed.product_id == 0x055B
    assert signed is CATALOGUE.by_name("original_ota_xiaomi_lywsd03mmc_v2.1.1_0159c.bin")
    assert CATALOGUE.by_file(signed.sha256) is signed
    assert signed.image_sha256 is None
    plain = CATALOGUE.by_name("ATC_v58.bin")
    assert plain is not None and CATALOGUE.by_image(plain.sha256) is plain
    boxed = CATALOGUE.by_name("1141-020a-99993001-ATC_v58.zigbee")
    assert boxed is not None and boxed.image_sha256 == plain.sha256 and boxed.version == "5.8"
    assert CATALOGUE.by_file("00" * 32) is None and CATALOGUE.by_name("nothing") is None


def test_catalogue_is_complete_and_plain() -> None:
    """All published files and dumps are there, each hash once, only known roles and families."""
    entries = CATALOGUE.files
    assert len({entry.sha256 for entry in entries}) == len(entries) == 212
    assert {entry.family for entry in entries} == {"stock", "pvvx", "atc1441", "zigbee", "unknown", None}
    assert all(entry.repository in CATALOGUE.snapshots for entry in entries)
    lywsd = [entry for entry in entries if entry.family == "stock" and entry.model == "LYWSD03MMC"]
    assert {(entry.version, entry.length, entry.login) for entry in lywsd} == {
        ("1.0.0_0109", 85668, "always"),
        ("1.0.0_0130", 92868, "always"),
        ("2.1.1_0159", 104404, "always"),
        ("2.1.1_0159", 104260, "always"),
    }


@pytest.mark.parametrize(
    ("image", "unit", "verdicts"),
    [
        (Identity(Family.PVVX, "5.8", "MJWSD06MMC", 13), UnitFacts("MJWSD06MMC", family=Family.STOCK), ["refuse"]),
        (Identity(Family.PVVX, "5.9", "MJWSD06MMC", 13), UnitFacts("MJWSD06MMC", family=Family.STOCK), []),
        (Identity(Family.PVVX, "5.8", "MJWSD06MMC", 13), UnitFacts("MJWSD06MMC", family=Family.PVVX), []),
        (Identity(Family.PVVX, "5.9", "MJWSD06MMC", 13), UnitFacts("MJWSD06MMC", product_id=0x5BEA), ["refuse"]),
        (Identity(Family.ZIGBEE, manufacturer=0xDB15), UnitFacts("LYWSD03MMC"), ["refuse"]),
        (
            Identity(Family.STOCK, "2.1.1_0159", "LYWSD03MMC", build="B1.6"),
            UnitFacts("LYWSD03MMC", NEW_BOARD, family=Family.STOCK, version="2.1.1_0159"),
            ["refuse"],
        ),
        (Identity(Family.STOCK, "2.1.1_0159", "LYWSD03MMC", build="c"), UnitFacts("LYWSD03MMC", NEW_BOARD), ["blank"]),
        (Identity(Family.STOCK, "1.0.0_0130", "LYWSD03MMC"), UnitFacts("LYWSD03MMC", NEW_BOARD), ["blank"]),
        (Identity(Family.PVVX, "5.4", "LYWSD03MMC", 10), UnitFacts("LYWSD03MMC", NEW_BOARD), ["blank"]),
        (Identity(Family.PVVX, "5.8", "LYWSD03MMC", 10), UnitFacts("LYWSD03MMC", NEW_BOARD, family=Family.STOCK), []),
        (Identity(Family.PVVX, None, "LYWSD03MMC", 10), UnitFacts("LYWSD03MMC", NEW_BOARD), []),
    ],
)
def test_known_bad(image: Identity, unit: UnitFacts, verdicts: list[str]) -> None:
    """The table names the combinations of product-needs.md 6.2 and no others."""
    assert [row.verdict for row in known_bad(CATALOGUE, image, unit)] == verdicts


def test_version_order() -> None:
    """Versions compare by their numbers."""
    assert version_key("1.0.0_0130") < version_key("2") < version_key("2.1.1_0159") < version_key("5.8")


def test_inspection_of_a_container() -> None:
    """The inner image is judged and sent; the outer identity is kept and named."""
    found = inspect(ZigbeeContainer.wrap(PVVX, manufacturer=0xDB15, image_type=0x0203).to_bytes())
    assert (found.kind, found.family, found.version, found.device_id) == ("zigbee-container", "pvvx", "5.8", 10)
    assert found.payload == PVVX and found.container is not None and found.container.manufacturer == 0xDB15
    assert any("db15-0203" in text and "1141-020a" in text for text in found.warnings)


@pytest.mark.parametrize("size", [0x40000, 0x80000, 0x100000, 0x200000])
@pytest.mark.parametrize("bank", [0, 0x8000, 0x20000])
def test_dumps_are_never_sent(size: int, bank: int) -> None:
    """A whole flash is a dump wherever its image lies, and has nothing to send."""
    data = (b"\xff" * bank + PVVX).ljust(size, b"\xff")
    found = inspect(data)
    assert (found.kind, found.version, found.blocks, found.crc_ok) == ("full-dump", "5.8", 0, True)
    assert inspect(data[:-1]).kind != "full-dump"


def test_dump_of_a_broken_off_update() -> None:
    """A dump whose only mark is unfinished is still a dump, without an image."""
    data = (PVVX[:8] + b"\xff" + PVVX[9:]).ljust(0x80000, b"\xff")
    found = inspect(data)
    assert (found.kind, found.crc_ok) == ("full-dump", None)


def test_lengths() -> None:
    """Blocks and padded length count tail and padding; strays are counted apart."""
    signed = inspect(package("stock-2.1.1_0159"))
    assert (signed.padded_length, signed.length, signed.stray_length) == (len(package("stock-2.1.1_0159")), 104404, 0)
    stray = inspect(PVVX + b"abc")
    assert (stray.stray_length, stray.padded_length) == (3, len(pad(PVVX + b"abc")))
    assert any("3 bytes follow" in text for text in stray.warnings)


def test_warnings_about_size_flag_and_origin() -> None:
    """Oversize, a missing flag, a foreign start-up code and an unknown origin are said aloud."""
    big = inspect(made("ATC_000000", size=0x20000))
    assert any("extended update" in text for text in big.warnings)
    assert any("more than any update" in text for text in inspect(made("ATC_000000", size=0x34000)).warnings)
    assert any("not in the catalogue" in text for text in big.warnings)
    assert not any("catalogue" in text for text in inspect(PVVX).warnings)
    body = PVVX[:6] + bytes(2) + PVVX[8:-4]
    assert any("5D 02" in text for text in inspect(body + trailer(body).to_bytes(4, "little")).warnings)
    assert any("start-up" in text for text in inspect(made("ATC_000000", startup=bytes(8))).warnings)


def test_catalogue_word() -> None:
    """Published, synthetic, or neither."""
    assert inspect(PVVX).provenance == "synthetic"
    assert inspect(package("sign-2.1.1_0159")).provenance == "synthetic"
    assert inspect(made("ATC_000000")).provenance == "unknown"
    assert inspect(b"text").provenance == "unknown"
