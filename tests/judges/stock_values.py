"""Judge of stock-values: bytes of the stock vendor service, read as the client reads and made as the unit makes them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from judges._cases import Case, Problem, differs, each, first
from mitherm.protocol.stock import Comfort, DataCount, HistoryRecord, Measurement
from mitherm.virtual.board.nor_flash import NorFlash
from mitherm.virtual.firmware.stock_history import BASE, History

Value = Measurement | DataCount | HistoryRecord | Comfort

_KINDS: dict[str, Callable[..., Value]] = {
    "measurement": Measurement,
    "count": DataCount,
    "record": HistoryRecord,
    "flash-record": HistoryRecord,
    "comfort": Comfort,
}


def _value(case: Case) -> Problem:
    raw, value = bytes.fromhex(case["raw"]), _KINDS[case["kind"]](**case["fields"])
    return first(_flash_form(raw, value) if case["kind"] == "flash-record" else _wire_form(raw, value))


def _wire_form(raw: bytes, value: Value) -> Iterator[Problem]:
    yield differs(value, type(value).from_bytes(raw), "as the client reads it")
    yield differs(raw.hex(), value.to_bytes().hex(), "as the unit sends it")


def _flash_form(raw: bytes, value: Value) -> Iterator[Problem]:
    assert isinstance(value, HistoryRecord)
    written, given = NorFlash(), NorFlash()
    History(written).append(value)
    given.program(BASE, raw)
    yield differs(raw.hex(), written.read(BASE, len(raw)).hex(), "as the unit stores it")
    yield differs(value, History(given).at(value.index), "as the unit finds it after a power-up")


AREAS = {"stock-values": each(_value)}
