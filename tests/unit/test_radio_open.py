"""What may stand after --radio."""

import pytest

from mitherm.errors import RadioUnavailable, UsageProblem
from mitherm.radio.open import RadioName, open_radio


@pytest.mark.parametrize(
    ("text", "kind", "argument"),
    [
        ("system", "system", ""),
        ("system:hci1", "system", "hci1"),
        ("virtual:some/dir", "virtual", "some/dir"),
        (r"air:C:\units", "air", r"C:\units"),
        ("hci:tcp-client:127.0.0.1:9000", "hci", "tcp-client:127.0.0.1:9000"),
        ("esphome:proxy.local:6053", "esphome", "proxy.local:6053"),
    ],
)
def test_every_form_is_understood(text: str, kind: str, argument: str) -> None:
    """Kind and argument are told apart at the first colon, and the text comes back."""
    name = RadioName.parse(text)
    assert (name.kind, name.argument, str(name)) == (kind, argument, text)
    assert name.simulated == (kind in ("virtual", "air"))


@pytest.mark.parametrize("text", ["", "bluetooth", "virtual", "virtual:", "hci:", "esphome", "system:usb0", "SYSTEM"])
def test_nonsense_is_a_usage_problem(text: str) -> None:
    """Unknown kinds and missing arguments say what is possible."""
    with pytest.raises(UsageProblem) as raised:
        RadioName.parse(text)
    assert raised.value.hint


async def test_proxies_are_refused_clearly() -> None:
    """An ESPHome proxy is not usable yet and the error says so."""
    with pytest.raises(RadioUnavailable, match="proxies"):
        async with open_radio(RadioName.parse("esphome:proxy.local")):
            pass


async def test_the_system_radio_opens_without_an_adapter() -> None:
    """Opening needs no adapter; it is named as the user named it and is not simulated."""
    async with open_radio(RadioName.parse("system:hci1")) as radio:
        assert (radio.name, radio.simulated) == ("system:hci1", False)
