"""Asking a stock unit for another connection interval (characteristic ...ccd8, telink-ota.md 9.2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from mitherm.errors import DecodeError

_IOS: Final = 1
_TIMEOUT: Final = 600
"""In units of 10 ms: the supervision timeout of 6 s that stock asks for with the new interval (telink-ota.md 5.6)."""
_LONGEST_MS: Final = 0xFFFF


@dataclass(frozen=True, slots=True)
class IntervalRequest:
    """The value written: u16 milliseconds, then optionally a byte that is 1 for the rules of iOS."""

    interval_ms: int
    ios: bool = False

    def __bytes__(self) -> bytes:
        if not 0 <= self.interval_ms <= _LONGEST_MS:
            raise ValueError(f"no interval: {self.interval_ms} ms")
        return self.interval_ms.to_bytes(2, "little") + bytes([_IOS if self.ios else 0])

    @classmethod
    def from_bytes(cls, raw: bytes) -> IntervalRequest:
        """Two or three bytes; raises DecodeError."""
        if len(raw) not in (2, 3):
            raise DecodeError(f"an interval request has 2 or 3 bytes, not {len(raw)}")
        return cls(int.from_bytes(raw[:2], "little"), raw[2:] == bytes([_IOS]))


@dataclass(frozen=True, slots=True)
class ParameterRequest:
    """What the unit then asks of the central: intervals in 1.25 ms, supervision timeout in 10 ms."""

    minimum: int
    maximum: int
    latency: int = 0
    timeout: int = _TIMEOUT


def answer(value: bytes) -> ParameterRequest | None:
    """The unit's reaction to a written value (1.0.0_0130 and 2.1.1_0159 alike); None where it ignores it."""
    try:
        request = IntervalRequest.from_bytes(value)
    except DecodeError:
        return None
    units = request.interval_ms * 4 // 5
    if request.interval_ms < (45 if request.ios else 10):
        return ParameterRequest(20, 40)
    if request.interval_ms >= 500:
        return ParameterRequest(384 if request.ios else 400, 400)
    return ParameterRequest(units - 16 if request.ios else units, units)
