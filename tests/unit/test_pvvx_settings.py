"""Settings of pvvx in words and units, for every version."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mitherm.errors import SettingsError
from mitherm.protocol.pvvx import words as pvvx_words
from mitherm.protocol.pvvx.config import LAYOUTS, Config, clamp, layout_for, parse_version
from mitherm.protocol.pvvx.settings import Settings, hiding
from mitherm.protocol.pvvx.structs import Comfort

DEFAULT = bytes.fromhex("07100a062804a9313100b4")
VERSIONS = [*(first for first, _ in LAYOUTS), 0x11, 0x37, 0x45, 0x58]


def unit(version: str = "5.8", data: bytes = DEFAULT, device_id: int = 10) -> Settings:
    return Settings(Config(parse_version(version), data, device_id), "ATC_000001", Comfort())


def value(one: Settings, name: str) -> object:
    return one.shown()[name].value


@pytest.mark.parametrize("version", VERSIONS)
@given(data=st.binary(min_size=11, max_size=11))
@settings(max_examples=15)
def test_what_is_shown_can_be_typed(version: int, data: bytes) -> None:
    """Value and text of every field, as far as a unit of that version can hold it, give its raw value again."""
    layout = layout_for(version)
    held = clamp(version, data[: layout.length])
    for field in layout.fields:
        raw = field.get(held)
        typed = pvvx_words.text(field, version, raw).partition(" (")[0]
        assert pvvx_words.parse(field, version, typed) == raw
        assert pvvx_words.parse(field, version, str(pvvx_words.value(field, version, raw))) == raw


def test_default_in_words() -> None:
    """custom-firmware.md 5.4: BTHome v2, 2.5 s, 0.04 dBm, latency of 1 s, screen step 2.45 s."""
    shown = unit().shown()
    names = ("advertising_type", "adv_crypto", "advertising_interval", "rf_tx_power", "connect_latency", "lcd_step")
    assert [shown[name].text for name in names] == [
        "bthome",
        "off",
        "2500 ms",
        "169 (0.04 dBm)",
        "1000 ms",
        "2450 ms",
    ]
    assert (shown["comfort.temp_hi"].text, shown["name"].text) == ("26 C", "ATC_000001")


@pytest.mark.parametrize(
    ("pair", "name", "expected"),
    [
        (("advertising_type", "bthome"), "advertising_type", "bthome"),
        (("advertising_type", "1"), "advertising_type", "custom"),
        (("advertising_interval", "5s"), "advertising_interval", 5000),
        (("advertising_interval", "1000 ms"), "advertising_interval", 1000),
        (("advertising_interval", "2510"), "advertising_interval", 2500),
        (("rf_tx_power", "3dBm"), "rf_tx_power", 191),
        (("rf_tx_power", "8 dbm"), "rf_tx_power", 43),
        (("rf_tx_power", "150"), "rf_tx_power", 150),
        (("comfort", "no"), "comfort", False),
        (("smiley", "^_^"), "smiley", "^_^"),
        (("comfort.temp_lo", "-4.5"), "comfort.temp_lo", -4.5),
        (("comfort.humi_hi", "80 %"), "comfort.humi_hi", 80),
        (("name", "Küche"), "name", "Küche"),
    ],
)
def test_wishes(pair: tuple[str, str], name: str, expected: object) -> None:
    """Words, numbers, units, to the nearest step."""
    assert value(unit().changed(dict([pair])), name) == expected


@pytest.mark.parametrize(
    ("name", "typed", "words"),
    [
        ("advertising_interval", "0", "nearest it takes is 62.5 ms"),
        ("advertising_interval", "11s", "nearest it takes is 10000 ms"),
        ("advertising_interval", "20 s", "not 20 s"),
        ("advertising_interval", "often", "is a number of ms"),
        ("advertising_interval", "5 C", "is a number of ms"),
        ("advertising_type", "ibeacon", "atc1441, custom, mi, bthome"),
        ("measure_interval", "2.5", "whole number"),
        ("event_adv_cnt", "5", "nearest it takes is 6"),
        ("rf_tx_power", "100", "does not take"),
        ("rf_tx_power", "20dBm", "-25.18 to 10.46 dBm"),
        ("fahrenheit", "maybe", "off, on"),
        ("name", "x" * 18, "1 to 17 bytes"),
        ("name", "", "1 to 17 bytes"),
        ("comfort.temp_lo", "30", "ends before it begins"),
        ("comfort.humi_hi", "101", "0 to 100"),
        ("temp_offset", "1", "no setting"),
        ("reserved2", "1", "no setting"),
    ],
)
def test_refused_before_anything_is_written(name: str, typed: str, words: str) -> None:
    """Out of range, of another unit, unknown."""
    with pytest.raises(SettingsError, match=words):
        unit().changed({name: typed})


def test_limits_hold_for_the_wish_as_a_whole() -> None:
    """A measuring interval that is too long for the advertising interval wished for with it."""
    assert value(unit().changed({"measure_interval": "90"}), "measure_interval") == 90
    with pytest.raises(SettingsError):
        unit().changed({"measure_interval": "90", "advertising_interval": "10s"})


def test_words_follow_the_version() -> None:
    """Value 3 of the type is BTHome v2, v1, or all in turn; offsets are there up to 4.6."""
    types = {version: value(unit(version), "advertising_type") for version in ("5.8", "4.4", "3.6")}
    assert types == {"5.8": "bthome", "4.4": "bthome1", "3.6": "all"}
    assert value(unit("4.6").changed({"temp_offset": "-0.5"}), "temp_offset") == -0.5


def test_clock_models_have_other_bits() -> None:
    """MJWSD05MMC: a screen instead of a smiley."""
    shown = unit(device_id=9).shown()
    assert "smiley" not in shown
    assert shown["screen_type"].value == "time"


def test_wishes_make_an_equal_unit() -> None:
    """Everything but the hardware."""
    one = unit().changed({"advertising_interval": "1s", "name": "Cellar", "comfort.temp_lo": "4"})
    assert unit().changed(one.wishes()) == one
    assert unit().differences(one) == ["advertising_interval", "name", "comfort.temp_lo"]


@pytest.mark.parametrize(
    ("assignments", "hidden"),
    [
        ({"longrange": "on", "bt5phy": "on"}, ("bt5phy", "longrange")),
        ({"advertising_interval": "5s"}, ()),
        ({"advertising_interval": "6s"}, ("advertising_interval",)),
        ({"rf_tx_power": "-15dBm"}, ("rf_tx_power",)),
        ({"rf_tx_power": "10dBm"}, ()),
        ({"advertising_type": "mi"}, ()),
    ],
)
def test_what_hides_a_unit(assignments: dict[str, str], hidden: tuple[str, ...]) -> None:
    """Rule H14: radio modes, seldom adverts, weak power; going back hides nothing."""
    before = unit()
    after = before.changed(assignments)
    assert hiding(before.config, after.config) == hidden
    assert hiding(after.config, before.config) == ()
