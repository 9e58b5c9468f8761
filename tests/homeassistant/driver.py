"""Home Assistant, headless, with its MQTT integration: runs inside the Python that `tools/homeassistant.sh` prepared.

Arguments: the port of the broker and of its own web server; then Bluetooth addresses for which it gets a device as if its
own BTHome integration had made one. It writes a line when it is ready, then a JSON line with the devices of every address
that it reads.
"""

import asyncio
import json
import sys
import tempfile
from pathlib import Path
from types import MappingProxyType
from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry, entity_registry
from homeassistant.runner import RuntimeConfig

from homeassistant import bootstrap, config_entries


def configure(folder: str, web_port: int) -> None:
    """MQTT needs its web server."""
    settings = {"http": {"server_host": "127.0.0.1", "server_port": web_port}}
    Path(folder, "configuration.yaml").write_text(json.dumps(settings))


async def start(folder: str) -> HomeAssistant:
    """Without the default integrations, most of which are parts of the frontend."""
    bootstrap.DEFAULT_INTEGRATIONS = set()
    bootstrap.CRITICAL_INTEGRATIONS = set()
    hass = await bootstrap.async_setup_hass(RuntimeConfig(config_dir=folder, skip_pip=True))
    if hass is None:
        raise SystemExit("Home Assistant did not start")
    await hass.async_start()
    return hass


async def add_mqtt(hass: HomeAssistant, port: int) -> None:
    """What the user enters in the dialogue."""
    result = await hass.config_entries.flow.async_init("mqtt", context={"source": config_entries.SOURCE_USER})
    other = {"set_client_cert": False, "set_ca_cert": "off", "transport": "tcp"}
    broker = {"broker": "127.0.0.1", "port": port, "protocol": "5", "other_settings": other}
    result = await hass.config_entries.flow.async_configure(result["flow_id"], broker)
    if result["type"] != "create_entry":
        raise SystemExit(f"the dialogue ended with {result}")
    await hass.async_block_till_done()


async def know_over_bluetooth(hass: HomeAssistant, address: str) -> None:
    """A device as the BTHome integration makes it; nobody needs to listen."""
    entry = config_entries.ConfigEntry(
        version=1,
        minor_version=1,
        domain="bthome",
        title=address,
        data={},
        options={},
        source=config_entries.SOURCE_USER,
        unique_id=address,
        discovery_keys=MappingProxyType({}),
        subentries_data=(),
        disabled_by=config_entries.ConfigEntryDisabler.USER,
    )
    await hass.config_entries.async_add(entry)
    device_registry.async_get(hass).async_get_or_create(
        config_entry_id=entry.entry_id,
        connections={(device_registry.CONNECTION_BLUETOOTH, address)},
        identifiers={("bthome", address)},
    )


def shown(hass: HomeAssistant, address: str) -> list[dict[str, Any]]:
    """The devices it relates by this address, with their entities; one that is disabled has no state."""
    entities = entity_registry.async_get(hass)
    connections = {(device_registry.CONNECTION_BLUETOOTH, address)}
    found = []
    for device in device_registry.async_get(hass).async_get_devices(connections=connections):
        own = entity_registry.async_entries_for_device(entities, device.id, include_disabled_entities=True)
        states = {entry.unique_id: hass.states.get(entry.entity_id) for entry in own}
        found.append(
            {
                "name": device.name,
                "domains": sorted(domain for domain, *_ in device.identifiers),
                "states": {name: state and state.state for name, state in states.items()},
            }
        )
    return found


def tell(what: Any) -> None:
    """To the test."""
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


async def main() -> None:
    """Until stdin ends."""
    port, web_port, *addresses = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        configure(folder, int(web_port))
        hass = await start(folder)
        for address in addresses:
            await know_over_bluetooth(hass, address)
        await add_mqtt(hass, int(port))
        tell("ready")
        while line := await asyncio.to_thread(sys.stdin.readline):
            tell(shown(hass, line.strip()))
        await hass.async_stop(force=True)


asyncio.run(main())
