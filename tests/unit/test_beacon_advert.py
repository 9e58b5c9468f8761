"""AD structures."""

from mitherm.beacon import advert


def test_envelope_of_pvvx() -> None:
    """Flags and service data appear byte by byte as pvvx sends them."""
    sent = advert.flags_ad() + advert.service_data_ad(advert.ENVIRONMENT, b"\x01\x02")
    assert sent.hex() == "020106" + "05161a180102"


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
