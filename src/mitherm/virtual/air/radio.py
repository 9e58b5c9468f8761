"""Virtual units behind bumble's controllers, used through the genuine bleak API: everything is real but the air."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from types import TracebackType
from typing import Final, Self

from bumble.transport.common import AsyncPipeSink

from mitherm.radio.bleak_radio import BleakRadio
from mitherm.virtual.air.backend import AirClient, AirScanner
from mitherm.virtual.air.host import AirHost
from mitherm.virtual.air.link import AirLink, CentralController
from mitherm.virtual.air.unit import AirUnit
from mitherm.virtual.unit import Unit

CENTRAL: Final = "F0:4D:49:54:48:00"


@asynccontextmanager
async def inhabited(units: Sequence[Unit]) -> AsyncIterator[AirLink]:
    """An air with these units in it, alive while the context is open."""
    link = AirLink()
    async with AsyncExitStack() as stack:
        for unit in units:
            place = AirUnit(link, unit)
            stack.push_async_callback(place.stop)
            await place.start()
        yield link


class Air(BleakRadio):
    """`async with Air(units) as radio:` one adapter among the units; BleakScanner and BleakClient do the rest."""

    def __init__(self, units: Sequence[Unit], *, name: str = "air") -> None:
        self._units = units
        self._host = AirHost()
        self._stack = AsyncExitStack()
        super().__init__(
            name=name, simulated=True, scanner_backend=AirScanner, client_backend=AirClient, host=self._host
        )

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            link = await stack.enter_async_context(inhabited(self._units))
            controller = CentralController("mitherm", link, CENTRAL)
            await self._host.open(controller, AsyncPipeSink(controller))
            stack.push_async_callback(self._host.close)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()
