"""The clock of stock firmware and its log in 0x51000 and 0x52000 (flash-layout.md 2)."""

from __future__ import annotations

from typing import Final

from mitherm.virtual.board.nor_flash import SECTOR, NorFlash

LOG: Final = (0x51000, 0x52000)
LOG_EVERY_S: Final = 300
_SLOTS: Final = SECTOR // 4


class Clock:
    """Seconds since they were set, or since power-up; `uptime_s` arguments are seconds of the unit's own time."""

    def __init__(self, flash: NorFlash) -> None:
        self._flash = flash
        self._offset = 0.0
        self._logged_at: float | None = None
        """Uptime of the last log entry; None while the clock was never set."""

    def boot(self, uptime_s: float) -> None:
        """Go on from the last logged value; an empty log is erased."""
        last = self.last_logged()
        if last is None:
            for sector in LOG:
                self._flash.erase_sector(sector)
        self._offset = (last or 0) - uptime_s
        self._logged_at = None if last is None else uptime_s

    def seconds(self, uptime_s: float) -> int:
        """The running value."""
        return int(uptime_s + self._offset) & 0xFFFFFFFF

    def set(self, value: int, uptime_s: float) -> None:
        """A write to ccb7: runs on from `value` and is logged."""
        self.adopt(value, uptime_s)
        self._log(value, uptime_s)

    def adopt(self, value: int, uptime_s: float) -> None:
        """Run on from `value` without touching flash."""
        self._offset = value - uptime_s
        if self._logged_at is not None:
            self._logged_at = uptime_s

    def catch_up(self, uptime_s: float) -> None:
        """Log the present value when the last entry is 300 s old."""
        if self._logged_at is not None and uptime_s - self._logged_at >= LOG_EVERY_S:
            self._log(self.seconds(uptime_s), uptime_s)

    def log_now(self, uptime_s: float) -> None:
        """Before the reset that follows an update."""
        if self._logged_at is not None:
            self._log(self.seconds(uptime_s), uptime_s)

    def last_logged(self) -> int | None:
        """The last value in the log; of two full sectors the later value."""
        values = [value for value in map(self._last_in, LOG) if value is not None]
        open_ones = [self._last_in(sector) for sector in LOG if 0 < self._used(sector) < _SLOTS]
        return (open_ones or [max(values)])[0] if values else None

    def erase(self) -> None:
        """Reset pad."""
        for sector in LOG:
            self._flash.erase_sector(sector)

    def _log(self, value: int, uptime_s: float) -> None:
        self._logged_at = uptime_s
        if value == 0xFFFFFFFF:
            return
        sector = next((sector for sector in LOG if 0 < self._used(sector) < _SLOTS), None)
        if sector is None:
            sector = LOG[1] if self._used(LOG[0]) else LOG[0]
            self._flash.erase_sector(sector)
        used = self._used(sector)
        self._flash.program(sector + 4 * used, value.to_bytes(4, "little"))
        if used + 1 == _SLOTS:
            self._flash.erase_sector(LOG[0] if sector == LOG[1] else LOG[1])

    def _last_in(self, sector: int) -> int | None:
        used = self._used(sector)
        return self._flash.u32(sector + 4 * (used - 1)) if used else None

    def _used(self, sector: int) -> int:
        """Number of words before the first blank one, by bisection: they are written in order."""
        low, high = 0, _SLOTS
        while low < high:
            middle = (low + high) // 2
            if self._flash.is_blank(sector + 4 * middle, 4):
                high = middle
            else:
                low = middle + 1
        return low
