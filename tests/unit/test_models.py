"""The table of models: unambiguous, complete, and used for what a model can and cannot do."""

from pathlib import Path

import pytest

from mitherm.device.identify import Evidence, identify
from mitherm.image.catalogue import Entry
from mitherm.image.shipped import shipped_catalogue
from mitherm.model import models
from mitherm.model.models import BANK, LARGE_BANK, MODELS, Gate
from mitherm.protocol import uuids

READABLE = frozenset({"read", "write-without-response", "notify"})
CUSTOM = (uuids.CUSTOM_SERVICE, uuids.DEVICE_INFORMATION)
DOCUMENT = Path(__file__).parents[2] / "docs" / "reference" / "models.md"


def stock(name: str, version: str) -> models.Stock:
    board = models.board(name, version=version)
    rules = board.stock_of(version) if board is not None else None
    assert rules is not None
    return rules


def test_numbers_name_one_board() -> None:
    """Device ids, hardware ids and other names are unique."""
    devices = [model.device_id for model in MODELS if model.device_id is not None]
    hardware = [number for model in MODELS for number in model.ids]
    aliases = [model.alias for model in MODELS if model.alias is not None]
    for numbers in (devices, hardware, [model.label for model in MODELS]):
        assert len(set(numbers)) == len(numbers)
    assert not {*aliases} & {model.name for model in MODELS}
    assert all(len(model.identity) in (0, 24) for model in MODELS)


@pytest.mark.parametrize("entry", [one for one in shipped_catalogue().files if one.role == "custom" and one.device_id])
def test_every_published_pvvx_build_has_its_board(entry: Entry) -> None:
    """The catalogue and the table agree."""
    board = models.of_device(entry.device_id)
    assert board is not None and board.name == entry.model and board.prefix


@pytest.mark.parametrize("entry", [one for one in shipped_catalogue().files if one.role == "stock" and one.version])
def test_every_published_stock_image_has_its_rules(entry: Entry) -> None:
    """Login, signature and the size of a bank are as the catalogue knows them."""
    rules = stock(entry.model or "", entry.version or "")
    gates = {"always": Gate.LOGIN, "bound": Gate.WHEN_BOUND, "never": Gate.NONE, None: None}
    assert rules.gate is gates[entry.login]
    assert rules.refuses_unsigned is entry.refuses_unsigned
    assert rules.supports_ota is not entry.no_ota
    assert entry.no_ota or (entry.length or 0) <= rules.bank_size


def test_what_siblings_are_offered() -> None:
    """Facts that decide over actions, one model each."""
    assert [stock("LYWSD03MMC", version).generation for version in ("1.0.0_0130", "2.1.1_0159")] == [1, 2]
    assert not stock("MHO-C401", "1.0.0_0016").needs_login(True)
    assert stock("CGG1", "1.0.1_0093").needs_login(True) and not stock("CGG1", "1.0.1_0093").needs_login(False)
    assert stock("CGDK2", "1.1.1_0223").needs_login(None)
    assert (stock("MJWSD06MMC", "0009").locked_limit_s, stock("MJWSD06MMC", "0009").bank_size) == (1.0, LARGE_BANK)
    assert stock("LYWSD03MMC", "1.0.0_0130").bank_size == BANK
    assert not stock("LYWSD02MMC", "2.0.1_0021").supports_ota
    rules = models.boards("MHO-C122")[0].stock_of(None)
    assert rules is not None and not rules.supports_ota
    assert models.boards("TS0201")[0].stock_of("1.0.0_0001") is None


@pytest.mark.parametrize(
    ("version", "group"),
    [("1.0.0_0106", 0), ("1.0.0_0131", 0), ("2.1.1_0159", 1), ("2.2.0_0200", 1), (None, 0), ("0159", 1)],
)
def test_unknown_versions_follow_their_elders(version: str | None, group: int) -> None:
    """The nearest known version below decides."""
    lywsd = models.boards("LYWSD03MMC")[0]
    assert lywsd.stock_of(version) is lywsd.stock[group]


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("LYWSD03MMC", "LYWSD03MMC"),
        ("MHO-C401", "MHO-C401"),
        ("Qingping Temp RH M", "CGG1"),
        ("Qingping Temp & RH M", "CGG1"),
        ("Qingping Temp RH Lite", "CGDK2"),
        ("ATC_A1B2C3", "LYWSD03MMC"),
        ("CGG_A1B2C3", "CGG1"),
        ("BTE_A1B2C3", "MJWSD05MMC"),
        ("D02_A1B2C3", "LYWSD02MMC"),
        ("TH1-A1B2C3", "ZBeacon-TH01"),
        ("MHO_A1B2C3", None),
        ("ZTH_A1B2C3", None),
        ("ATC_a1b2c3", None),
        ("ATC_A1B2C", None),
        ("Kitchen", None),
        ("", None),
        (None, None),
    ],
)
def test_names_on_the_air(name: str | None, model: str | None) -> None:
    """A name tells a model only where it can mean no other."""
    assert models.named(name) == model


@pytest.mark.parametrize(
    ("device", "unit", "fits"),
    [
        (1, models.candidates("MHO-C401", hardware_id=1), True),
        (8, models.candidates("MHO-C401", hardware_id=1), False),
        (8, models.candidates("MHO-C401", version="1.0.0_0016"), True),
        (8, models.candidates("MHO-C401"), None),
        (8, models.candidates("MHO-C401N"), True),
        (10, models.candidates("LYWSD03MMC", hardware_id=14), True),
        (10, models.candidates("CGG1"), False),
        (12, models.candidates("MJWSD05MMC", version="0005"), True),
        (10, (), False),
    ],
)
def test_builds_fit_boards(device: int, unit: tuple[models.Model, ...], fits: bool | None) -> None:
    """Two boards of one name have two builds; where nothing tells the board, nobody can say."""
    assert models.image_fits(device, unit) is fits


def test_same_model_and_version() -> None:
    """Other names and short versions mean the same."""
    assert models.same_model("CGG1M", "CGG1") and not models.same_model("CGG1", "CGDK2")
    assert models.same_model("XYZ", "XYZ") and not models.same_model("XYZ", "XYW")
    assert models.same_version("0009", "2.1.1_0009") and models.same_version("2.1.1_0009", "2.1.1_0009")
    assert not models.same_version("0009", "2.1.1_0109") and not models.same_version("5.8", "15.8")
    assert not models.same_version(None, "5.8") and models.same_version(None, None)


@pytest.mark.parametrize("model", [model for model in MODELS if model.device_id is not None], ids=lambda one: one.label)
def test_pvvx_units_are_identified_by_their_id(model: models.Model) -> None:
    """Without a model string the hardware id in the answer to command 00 tells the board."""
    reply = bytes([0, 0, model.ids[-1], 0, 0x58, 0, 0, 0, 0, 0, 0, 0])
    found = identify(Evidence(CUSTOM, command_properties=READABLE, device_id_reply=reply))
    assert (found.model, found.boards) == (model.name, (model,))


@pytest.mark.parametrize(
    ("model", "revision", "version", "boards", "generation"),
    [
        (b"MHO-C401\0", b"1.0.0_0016\0", "1.0.0_0016", ["MHO-C401 (2022)"], 1),
        (b"MHO-C401\0", b"1.0.0_0099\0", "1.0.0_0099", ["MHO-C401 (2020)", "MHO-C401 (2022)"], 1),
        (b"MJWSD05MMC\0", b"0005\0", "0005", ["MJWSD05MMC (international)"], 2),
        (b"MJWSD06MMC\0", b"0009\0", "0009", ["MJWSD06MMC"], 2),
        (b"LYWSD03MMC\0", b"0109\0", None, ["LYWSD03MMC"], 2),
    ],
)
def test_stock_siblings(model: bytes, revision: bytes, version: str, boards: list[str], generation: int) -> None:
    """Model string and version tell the board; four digits are a version where the model shows no more."""
    strings = {uuids.MODEL_NUMBER: model, uuids.FIRMWARE_REVISION: revision}
    found = identify(Evidence((uuids.STOCK_SERVICE,), strings))
    assert (found.family, found.version, found.generation) == ("stock", version, generation)
    assert [board.label for board in found.boards] == boards


@pytest.mark.parametrize(
    ("name", "revision", "label"),
    [
        ("Qingping Temp RH Lite", b"1.1.1_0223\0", "CGDK2"),
        ("Qingping Temp RH M", b"1.1.1_0221\0", "CGG1 (2022)"),
        ("Qingping Temp & RH M", b"1.0.1_0093\0", "CGG1 (2020/2021)"),
    ],
)
def test_qingping_stock(name: str, revision: bytes, label: str) -> None:
    """The maker's service and the name on the air: the model is known, the family is none of ours."""
    strings = {uuids.FIRMWARE_REVISION: revision, uuids.MODEL_NUMBER: b"CGG1H\0"}
    found = identify(Evidence((uuids.QINGPING_SERVICE, uuids.OTA_SERVICE), strings, advertised_name=name))
    assert (found.family, found.vendor, found.version) == ("other", "qingping", revision[:-1].decode())
    assert [board.label for board in found.boards] == [label]


def test_the_page_is_up_to_date() -> None:
    """docs/reference/models.md is what tools/models_page.py writes."""
    assert DOCUMENT.read_text() == models_page()


def models_page() -> str:
    from runpy import run_path

    page: str = run_path(str(DOCUMENT.parents[2] / "tools" / "models_page.py"))["page"]()
    return page


def test_versions_are_compared_as_numbers() -> None:
    """10 comes after 2, which text does not know."""
    groups = (models.Stock(("2.0.0_0001",), None), models.Stock(("10.0.0_0001",), models.Gate.LOGIN))
    row = models.Model("X", stock=groups)
    assert row.stock_of("9.0.0_0001") is groups[0]
    assert row.stock_of("10.0.0_0002") is groups[1]
