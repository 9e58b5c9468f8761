"""What stock firmware advertises (beacons.md 6.6, mi-auth.md 2)."""

from itertools import groupby

import pytest
from stock_bench import ADDRESS, KEYS, adverts, flash_with, run, stock, unit

from mitherm.beacon.advert import service_data
from mitherm.primitives import crypto
from mitherm.virtual.board.chip import Advertise

BIND_KEY = KEYS[12:]
OBJECTS = {0x1004: "temperature", 0x1006: "humidity", 0x100A: "battery"}


def content(advert: bytes) -> str:
    """idle, or which object the frame holds, decrypted here by hand."""
    ((uuid, data),) = service_data(advert)
    assert uuid == 0xFE95 and data[5:11] == ADDRESS.reversed
    if data[:2] == b"\x30\x58":
        return "idle"
    assert data[:2] == b"\x58\x58"
    nonce = data[5:11] + data[2:5] + data[-7:-4]
    plain = crypto.ccm_decrypt(BIND_KEY, nonce, data[11:-7] + data[-4:], b"\x11")
    assert plain is not None
    return OBJECTS[int.from_bytes(plain[:2], "little")]


def counter(advert: bytes) -> int:
    """The frame counter."""
    return service_data(advert)[0][1][4]


def runs(line: str, seconds: float) -> list[tuple[str, int, int, float]]:
    """Content, counter, number of equal frames, time of the first."""
    seen = [(moment, data, content(data)) for moment, data in adverts(stock(line), seconds)]
    grouped = [list(items) for _, items in groupby(seen, key=lambda item: item[1])]
    return [(items[0][2], counter(items[0][1]), len(items), items[0][0]) for items in grouped]


@pytest.mark.parametrize("bound", [False, True])
@pytest.mark.parametrize(
    ("line", "hexadecimal"),
    [
        ("0109", "020106 111695fe30585b0501 56341238c1a4 280100"),
        ("0130", "020106 111695fe30585b0501 56341238c1a4 280100"),
        ("0159", "020106 0f1695fe30585b0500 56341238c1a4 08 0b094c5957534430334d4d43"),
    ],
)
def test_idle_frame(line: str, hexadecimal: str, bound: bool) -> None:
    """The first frame is the same whether the unit is bound or not."""
    firmware = stock(line, flash_with(keys=b"\x01" * 28 if bound else None))
    assert adverts(firmware, 1)[0][1] == bytes.fromhex(hexadecimal)


@pytest.mark.parametrize("line", ["0109", "0130", "0159"])
def test_unbound_units_stay_idle(line: str) -> None:
    """For ever the same frame."""
    assert len({data for _, data in adverts(stock(line, flash_with(keys=None)), 2000)}) == 1


def test_schedule_of_0130() -> None:
    """Idle 600 s, 24 humidity frames in 44 s, idle 15 s, 24 temperature frames; the counter grows with each change."""
    seen = runs("0130", 800)
    assert [(what, number) for what, number, _, _ in seen[:5]] == [
        ("idle", 1),
        ("humidity", 2),
        ("idle", 3),
        ("temperature", 4),
        ("idle", 5),
    ]
    assert 24 <= seen[1][2] <= 25 and 24 <= seen[3][2] <= 25
    assert seen[1][3] == pytest.approx(600, abs=0.1)
    assert seen[3][3] - seen[2][3] == pytest.approx(15, abs=0.1)


def test_later_idle_frames_of_0130_are_short() -> None:
    """Capability 08, no I/O field."""
    frames = [data for _, data in adverts(stock("0130"), 660) if content(data) == "idle"]
    assert frames[0].endswith(bytes.fromhex("280100")) and frames[-1].endswith(b"\xa4\x08")


def test_schedule_of_0159() -> None:
    """Battery after 20 s in 31 copies, then temperature and humidity in turn every 61 s, no idle frames in between."""
    seen = runs("0159", 1300)
    assert [what for what, *_ in seen[:5]] == ["idle", "battery", "temperature", "humidity", "temperature"]
    assert seen[1][3] == pytest.approx(20, abs=0.1) and 31 <= seen[1][2] <= 32
    assert "idle" not in [what for what, *_ in seen[1:]]
    assert all(26 <= number <= 27 for what, _, number, _ in seen[3:10])
    batteries = [moment for what, _, _, moment in seen if what == "battery"]
    assert batteries[1] - batteries[0] == pytest.approx(580, abs=0.1)
    assert [number for _, number, *_ in seen] == list(range(len(seen)))


def test_counter_continues_over_restarts() -> None:
    """The extension comes from the counter record: two more with every boot."""
    flash = flash_with()
    extensions = []
    for _ in range(2):
        frames = [service_data(data)[0][1] for _, data in adverts(stock("0159", flash), 30)]
        extensions.append(frames[-1][-7:-4])
    assert extensions == [b"\x02\0\0", b"\x04\0\0"]


def test_scan_response_is_the_name() -> None:
    """On all versions."""
    one, _ = unit("stock-1.0.0_0130")
    sent = [action for _, action in run(one, 4) if isinstance(action, Advertise)]
    assert sent and {action.scan_response for action in sent} == {b"\x0b\x09LYWSD03MMC"}


@pytest.mark.parametrize(("build", "low", "high"), [("c", 1.9, 2.2), ("B1.6", 0.5, 0.6)])
def test_idle_interval_tells_the_builds_apart(build: str, low: float, high: float) -> None:
    """As seen on the images."""
    assert low <= stock("0159", flash_with(keys=None), build=build).advertise() <= high


def test_no_adverts_on_a_link() -> None:
    """They come back after the disconnect."""
    one, _ = unit("stock-1.0.0_0130")
    run(one, 5)
    one.connect(5)
    assert not [action for _, action in run(one, 20) if isinstance(action, Advertise)]
    one.disconnect(20)
    assert [action for _, action in run(one, 22) if isinstance(action, Advertise)]
