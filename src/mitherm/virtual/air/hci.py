"""An HCI endpoint as a radio: a bumble host on a socket, a serial port or a USB dongle, without an OS stack."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bumble.core import BaseBumbleError
from bumble.transport import open_transport
from bumble.transport.common import Transport

from mitherm.errors import RadioUnavailable, UsageProblem
from mitherm.radio.bleak_radio import BleakRadio
from mitherm.virtual.air.backend import AirClient, AirScanner
from mitherm.virtual.air.host import AirHost


@asynccontextmanager
async def open_hci_radio(moniker: str) -> AsyncIterator[BleakRadio]:
    """A radio on a bumble transport such as `tcp-client:127.0.0.1:9123` or `usb:0`. Raises RadioUnavailable."""
    transport = await _open(moniker)
    try:
        host = AirHost()
        try:
            await host.open(transport.source, transport.sink)
        except (BaseBumbleError, TimeoutError, OSError) as error:
            raise RadioUnavailable(f"nothing answers at hci:{moniker}", reason="no-adapter") from error
        try:
            yield BleakRadio(name=f"hci:{moniker}", scanner_backend=AirScanner, client_backend=AirClient, host=host)
        finally:
            await host.close()
    finally:
        await transport.close()


async def _open(moniker: str) -> Transport:
    try:
        return await open_transport(moniker)
    except ValueError as error:
        raise UsageProblem(
            f"hci:{moniker} is no transport", hint="for example hci:tcp-client:127.0.0.1:9123 or hci:usb:0"
        ) from error
    except (BaseBumbleError, OSError) as error:
        raise RadioUnavailable(f"hci:{moniker} cannot be opened: {error}", reason="no-adapter") from error
