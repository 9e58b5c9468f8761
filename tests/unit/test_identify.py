"""Telling firmware kinds apart, and what the cloud says to a DID."""

import pytest
from stock_bench import VERSIONS, stock

from mitherm.device.identify import Evidence, identify
from mitherm.model.family import Family
from mitherm.protocol import uuids
from mitherm.virtual.firmware.gatt_tables import atc1441_table, pvvx_table
from mitherm.virtual.mi_home.rules import CloudEntry, decide, has_mi_service

DID = "blt.3.1a2b3c4d5e6f7"
INVENTED = "blt.3.129vAbCdEfATC"
CUSTOM = (uuids.CUSTOM_SERVICE, uuids.MI_SERVICE)


@pytest.mark.parametrize(("line", "generation"), [("0109", 1), ("0130", 1), ("0159", 2)])
def test_stock_tables(line: str, generation: int) -> None:
    """Our own stock units are recognised, with and without readable strings."""
    firmware = stock(line)
    table = firmware.gatt
    strings = (uuids.FIRMWARE_REVISION, uuids.HARDWARE_REVISION, uuids.MODEL_NUMBER)
    full = identify(Evidence(table.service_uuids, {char: firmware.read(char) for char in strings}))
    assert (full.family, full.version, full.model, full.hardware) == ("stock", VERSIONS[line], "LYWSD03MMC", "B1.4")
    assert (full.generation, full.vendor, full.confidence) == (generation, "xiaomi", "high")
    bare = identify(Evidence(table.service_uuids))
    assert (bare.family, bare.version, bare.generation, bare.confidence) == ("stock", None, generation, "medium")
    assert any(line in reason for reason in bare.evidence)


def test_custom_tables() -> None:
    """1F1F with or without read decides, also when the host lost 180A."""
    readable = frozenset({"read", "write-without-response", "notify"})
    silent = readable - {"read"}
    assert identify(Evidence(pvvx_table(0x58, {}).service_uuids, command_properties=readable)).family == "pvvx"
    assert identify(Evidence(CUSTOM, command_properties=readable)).family == "pvvx"
    found = identify(Evidence(atc1441_table({}).service_uuids, command_properties=silent))
    assert (found.family, found.confidence) == ("atc1441", "high")
    assert identify(Evidence(CUSTOM)).confidence == "medium"


@pytest.mark.parametrize(
    ("value", "version", "hardware_id"),
    [
        ("555807100a062804a9313100b4", "5.8", 0),
        ("55480000000000000000000eb4", "4.8", 14),
        ("5540852000002804a97c3184b4000000", "4.0", 4),
        ("55280000000000000000008cb4", "2.8", 4),
        ("551000000000000000", "1.0", None),
        ("55", None, None),
        ("", None, None),
        ("0102030405060708090a0b0c0d", None, None),
    ],
)
def test_value_of_1f1f(value: str, version: str | None, hardware_id: int | None) -> None:
    """Version in byte 1; the hardware byte changed its width twice."""
    found = identify(Evidence(CUSTOM, command_properties=frozenset({"read"}), command_value=bytes.fromhex(value)))
    assert (found.family, found.version, found.hardware_id) == ("pvvx", version, hardware_id)


def test_answer_to_command_00() -> None:
    """It names the probed board and, without 1F1F, the version."""
    reply = bytes.fromhex("0000 0e00 5800 0102 ff530100")
    found = identify(Evidence(CUSTOM, command_properties=frozenset({"read"}), device_id_reply=reply))
    assert (found.version, found.hardware_id) == ("5.8", 14)


def test_test_build() -> None:
    """FFE0 next to 1F10."""
    assert identify(Evidence((*CUSTOM, uuids.PVVX_TEST))).test_build


@pytest.mark.parametrize(
    ("services", "family", "vendor"),
    [
        ((uuids.ZIGBEE_FACE, uuids.OTA_SERVICE), "zbdevice", None),
        ((uuids.ZIGBEE_FACE, uuids.DEVICE_INFORMATION), "phy62x2", None),
        ((uuids.QINGPING_SERVICE, uuids.OTA_SERVICE), "other", "qingping"),
        ((uuids.MI_SERVICE,), "other", "xiaomi"),
        ((uuids.GAP, uuids.GATT), "unknown", None),
        ((), "unknown", None),
    ],
)
def test_others(services: tuple[str, ...], family: str, vendor: str | None) -> None:
    """Families that no Telink image is for, and nothing at all."""
    found = identify(Evidence(services, advertised_name="ATC_123456"))
    assert (found.family, found.vendor) == (family, vendor)
    assert found.evidence


def test_a_name_is_only_a_hint() -> None:
    """It never makes a verdict, but it is mentioned."""
    found = identify(Evidence((uuids.GAP,), advertised_name="ATC_123456"))
    assert (found.family, found.confidence) == ("unknown", "low")
    assert "ATC_123456" in " ".join(found.evidence)


@pytest.mark.parametrize(
    ("raw", "hardware"), [(b"B1.4", "B1.4"), (b"0000", None), (b"\xff\xff\xff\xff", None), (b"", None)]
)
def test_hardware_string(raw: bytes, hardware: str | None) -> None:
    """Implausible texts are kept as read, noted, and not believed."""
    found = identify(Evidence((uuids.STOCK_SERVICE,), {uuids.HARDWARE_REVISION: raw}))
    assert found.hardware == hardware
    assert any("2A27" in reason for reason in found.evidence) is (hardware is None and raw != b"")


def test_upper_case_uuids() -> None:
    """Some systems spell them so."""
    assert identify(Evidence((uuids.STOCK_SERVICE.upper(),))).family == "stock"


@pytest.mark.parametrize(
    ("family", "word"),
    [("stock", "stock"), ("pvvx", "pvvx"), ("zbdevice", "zigbee"), ("phy62x2", "unknown"), ("other", "unknown")],
)
def test_words_of_the_command_line(family: str, word: str) -> None:
    """virtual-unit.md 9."""
    assert Family(family).shown == word


@pytest.mark.parametrize(
    ("did", "issued", "entry", "accepted", "confirmed"),
    [
        (None, (), None, True, None),
        (None, (DID,), CloudEntry(), True, None),
        (None, (DID,), CloudEntry(sticky=True), False, None),
        (None, (DID,), CloudEntry(sticky=True, deleted=True), True, None),
        (DID, (DID,), CloudEntry(), True, DID),
        (DID, (DID,), None, True, DID),
        (DID, (DID,), CloudEntry(owner="other"), False, None),
        (DID, (DID,), CloudEntry(owner="other", deleted=True), True, DID),
        (DID, (), CloudEntry(), False, None),
        (INVENTED, (DID,), CloudEntry(), False, None),
    ],
)
def test_cloud_decision(
    did: str | None, issued: tuple[str, ...], entry: CloudEntry | None, accepted: bool, confirmed: str | None
) -> None:
    """The table of virtual-unit.md 6."""
    decision = decide(did, issued_here=issued, entry=entry)
    assert (decision.accepted, decision.did) == (accepted, confirmed)


def test_only_stock_has_what_mi_home_needs() -> None:
    """The custom firmwares' FE95 is an empty shell."""
    assert has_mi_service(stock("0159").gatt)
    assert not has_mi_service(pvvx_table(0x58, {})) and not has_mi_service(atc1441_table({}))
