"""AD structures."""

from mitherm.beacon import advert


def test_envelope_of_pvvx() -> None:
    """Flags and service data appear byte by byte as pvvx sends them."""
    sent = advert.flags_ad() + advert.service_data_ad(advert.ENVIRONMENT, b"\x01\x02")
    assert sent.hex() == "020106" + "05161a180102"


def test_adverts_of_genuine_stock_images() -> None:
    """Idle adverts of 0109 and 0159 as the images send them (mi-auth.md 2): length, type, UUID, name."""
    old = bytes.fromhex("020106 111695fe30585b0501 56341238c1a4 280100")
    assert advert.service_data(old) == [(0xFE95, bytes.fromhex("30585b0501 56341238c1a4 280100"))]
    assert advert.local_name(old) is None
    new = bytes.fromhex("020106 0f1695fe30585b0500 56341238c1a4 08 0b094c5957534430334d4d43")
    assert advert.structures(new)[0] == (0x01, b"\x06")
    assert advert.service_data(new) == [(0xFE95, bytes.fromhex("30585b0500 56341238c1a4 08"))]
    assert advert.local_name(new) == "LYWSD03MMC"


def test_service_data_is_found_again() -> None:
    """Both structures of an event advertisement come back in order."""
    sent = advert.service_data_ad(0x2A56, b"\x01") + advert.service_data_ad(0x2AEB, b"\x00\x00\x07")
    assert advert.service_data(sent) == [(0x2A56, b"\x01"), (0x2AEB, b"\x00\x00\x07")]


def test_zeros_hold_nothing() -> None:
    """The first advert of atc1441, 31 zero bytes, has no structure."""
    assert advert.structures(bytes(31)) == []


def test_a_structure_over_the_end_is_dropped() -> None:
    """What was complete before stays."""
    assert advert.structures(b"\x02\x01\x06\x05\x16\x1a") == [(1, b"\x06")]


def test_complete_name_goes_before_the_short_one() -> None:
    """The complete name wins whatever the order."""
    both = advert.name_ad("ATC_56", complete=False) + advert.name_ad("ATC_565384")
    assert advert.local_name(both) == "ATC_565384"
    assert advert.local_name(advert.name_ad("ATC", complete=False)) == "ATC"
    assert advert.local_name(advert.flags_ad()) is None
