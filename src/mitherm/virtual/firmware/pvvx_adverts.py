"""What pvvx puts on the air: formats by configuration and version, their order, counters and boot events (beacons.md)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from mitherm.beacon import bthome_encode as bthome
from mitherm.beacon import custom_encode as custom
from mitherm.beacon import mibeacon_encode as mi
from mitherm.beacon.advert import (
    BTHOME1,
    BTHOME1_ENCRYPTED,
    BTHOME2,
    ENVIRONMENT,
    EVENT_COUNT,
    EVENT_FLAGS,
    MIBEACON,
    flags_ad,
    service_data_ad,
)
from mitherm.beacon.custom_encode import SensorValues
from mitherm.beacon.keys import BeaconKey
from mitherm.model.address import Address
from mitherm.primitives.secret import Secret
from mitherm.virtual.firmware.pvvx_state import State

ATC1441: Final = 0
CUSTOM: Final = 1
MI: Final = 2
BTHOME: Final = 3
EVENT_STEP_S: Final = 0.05
_SWITCH: Final = 1
_BOTH_KINDS_SINCE: Final = 0x51
_BTHOME2_SINCE: Final = 0x45
_BTHOME_SINCE: Final = 0x37
_OLD_EVENTS_BEFORE: Final = 0x48
_AVERAGED: Final = 3


class Adverts:
    """The frame maker of one life. `measure` is called when a measurement is due."""

    def __init__(self, state: State, measure: Callable[[], None]) -> None:
        self._state = state
        self._measure = measure
        self.send_count = 0
        self._events_left = 0
        self._place = 0
        """Advertisements since the last measurement."""
        self._sums = [0, 0, 0]
        self._summed = 0
        """Fewer than three only in the first round after a resumption."""
        self._means = (0, 0, 0)

    def boot(self) -> None:
        """An open input of type switch is announced before anything was measured (beacons.md 2)."""
        state = self._state
        if state.version >= 0x37 and state.thresholds.rds1_type == _SWITCH and state.flags & 1:
            self._events_left = state.value("event_adv_cnt", 6) + 1
            self.send_count += 1

    def resume(self, send_count: int) -> None:
        """Go on where an earlier life of the program stopped: no event, and means that exist."""
        self.send_count, self._events_left = send_count, 0
        self._means = (self._state.temp_x100, self._state.humi_x100, self._state.battery_pct)

    def next(self) -> tuple[bytes, bool, float]:
        """The coming advertisement: AD structures, connectable, seconds to the one after it."""
        if self._events_left:
            self._events_left -= 1
            return self._flags() + self._event(), False, EVENT_STEP_S
        period = max(self._state.value("measure_interval", 2), 1)
        if self._place % period == 0:
            self._place = 0
            self._measure()
            self.send_count += 1
            self._average()
        elif self._place == period - 1 and self._has_closing_frame():
            self.send_count += 1
        data = self._flags() + self._regular(last=self._place == period - 1)
        self._place += 1
        return data, True, self._interval()

    def restart_period(self) -> None:
        """After a link the next advertisement begins with a measurement."""
        self._place = 0

    def _interval(self) -> float:
        state = self._state
        delay = state.value("adv_interval_delay")
        jitter = state.chip.entropy(1)[0] % (delay + 1) if delay else 0
        return max(state.value("advertising_interval"), 1) * 0.0625 + jitter * 0.000625

    def _average(self) -> None:
        state = self._state
        values = (state.temp_x100, state.humi_x100, state.battery_pct)
        self._sums = [total + value for total, value in zip(self._sums, values, strict=True)]
        self._summed += 1
        if state.measured % _AVERAGED == 0:
            temp, humi, battery = (total / self._summed for total in self._sums)
            self._means = (round(temp), round(humi), round(battery))
            self._sums, self._summed = [0, 0, 0], 0

    # --- formats ------------------------------------------------------------------------------------------------------

    @property
    def _kind(self) -> int:
        """Advertising type in today's numbers (custom-firmware.md 5.2)."""
        state = self._state
        kind = state.value("advertising_type")
        if state.version < 0x11:
            kind = (CUSTOM, MI, ATC1441, BTHOME)[kind]
        if kind == BTHOME and state.version < _BTHOME_SINCE:
            return (ATC1441, CUSTOM, MI)[state.measured % 3]
        return kind

    @property
    def _key(self) -> BeaconKey | None:
        """The key when beacons are encrypted."""
        encrypting = self._state.value("adv_crypto") and self._state.key
        return BeaconKey(Secret(self._state.key)) if encrypting else None

    @property
    def _address(self) -> Address:
        return Address.from_reversed(self._state.chip.flash.read(0x76000, 6))

    @property
    def _measured(self) -> SensorValues:
        state = self._state
        return SensorValues(state.temp_x100, state.humi_x100, state.battery_mv, state.battery_pct)

    def _flags(self) -> bytes:
        return flags_ad() if self._state.value("adv_flags") else b""

    def _has_closing_frame(self) -> bool:
        """Whether the last advertisement of a period has a number of its own."""
        kind, version = self._kind, self._state.version
        if kind == BTHOME:
            return version < _BOTH_KINDS_SINCE
        return kind == MI and self._key is None

    def _regular(self, *, last: bool) -> bytes:
        kind = self._kind
        if kind == ATC1441:
            return service_data_ad(ENVIRONMENT, self._atc1441())
        if kind == CUSTOM:
            return service_data_ad(ENVIRONMENT, self._custom())
        if kind == MI:
            return service_data_ad(MIBEACON, self._mi(last=last))
        second = self._place % 2 == 1 if self._state.version >= _BOTH_KINDS_SINCE else last
        return self._bthome(self._second_kind() if second else bthome.pvvx_kind1(self._measured))

    def _atc1441(self) -> bytes:
        key = self._key
        if key is None:
            return custom.pvvx_atc1441(self._address, self._measured, self.send_count)
        trigger_on = bool(self._state.flags & 4)
        return custom.atc1441_encrypted(self._address, self._measured, self.send_count, key, trigger_on=trigger_on)

    def _custom(self) -> bytes:
        key, flags = self._key, self._state.flags
        if key is None:
            return custom.pvvx_custom(self._address, self._measured, self.send_count, flags)
        return custom.pvvx_custom_encrypted(self._address, self._measured, self.send_count, flags, key)

    def _mi(self, *, last: bool) -> bytes:
        state, key = self._state, self._key
        if key is None:
            climate = mi.mi_climate(custom.tenths(state.temp_x100), custom.tenths(state.humi_x100))
            return self._mi_frame(mi.mi_battery(state.battery_pct) if last else climate, with_mac=True)
        temp, humi, battery = self._means
        cycle = (
            mi.mi_temperature(custom.tenths(temp)),
            mi.mi_humidity(custom.tenths(humi)),
            mi.mi_battery(battery),
        )
        return self._mi_frame(cycle[state.measured % 3], with_mac=True)

    def _mi_frame(self, objects: bytes, *, with_mac: bool) -> bytes:
        address, key = self._address, self._key
        frame = mi.MiBeacon(
            self._state.product.mi_product, self.send_count, mac=address if with_mac else None, objects=objects
        )
        return frame.plain() if key is None else frame.encrypted(address, key)

    def _second_kind(self) -> list[bthome.Object]:
        state = self._state
        output = bool(state.flags & 2)
        if state.version < _BTHOME2_SINCE:
            return bthome.pvvx_old_kind2(state.battery_mv, output=output)
        return bthome.pvvx_kind2(state.battery_mv, output=output, opened=bool(state.flags & 1))

    def _bthome(self, objects: list[bthome.Object]) -> bytes:
        address, count, key = self._address, self.send_count, self._key
        if self._state.version >= _BTHOME2_SINCE:
            if key is None:
                return service_data_ad(BTHOME2, bthome.bthome2(objects, count))
            return service_data_ad(BTHOME2, bthome.bthome2_encrypted(objects, count, address, key))
        if key is None:
            return service_data_ad(BTHOME1, bthome.bthome1(objects, count))
        return service_data_ad(BTHOME1_ENCRYPTED, bthome.bthome1_encrypted(objects, count, address, key))

    def _event(self) -> bytes:
        """Reed input 1 of type switch (beacons.md 2, 4.4, 6.6, 7.4)."""
        state, kind = self._state, self._kind
        opened = bool(state.flags & 1)
        if kind == MI:
            return service_data_ad(MIBEACON, self._mi_frame(mi.mi_opening(opened=opened), with_mac=False))
        if kind == BTHOME or state.version < _OLD_EVENTS_BEFORE:
            return self._bthome(bthome.pvvx_event(state.reed_count, opened=opened))
        if kind == CUSTOM:
            return service_data_ad(ENVIRONMENT, self._custom())
        count = service_data_ad(EVENT_COUNT, custom.event_count(state.reed_count))
        return service_data_ad(EVENT_FLAGS, bytes([opened])) + count
