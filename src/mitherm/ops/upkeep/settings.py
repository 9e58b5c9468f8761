"""The settings of a pvvx unit as the commands that would set them again."""

from __future__ import annotations

from mitherm.device.observation import Observation
from mitherm.errors import LinkError, ProtocolError
from mitherm.model.family import Family
from mitherm.ops.bench import Bench
from mitherm.ops.target import find
from mitherm.protocol.pvvx.client import read_config
from mitherm.radio.driver import run
from mitherm.radio.link import Link

_SET_CONFIG = b"\x55"


async def setting_commands(bench: Bench, observation: Observation) -> tuple[bytes, ...]:
    """Commands for 1F1F that give another unit the same configuration; empty where there is none to read."""
    if observation.family is not Family.PVVX:
        return ()
    try:
        async with Link(bench.radio, await find(bench, observation.address)) as link:
            config = await run(read_config(observation.hardware_id or 10), link)
    except (LinkError, ProtocolError):
        return ()
    return (_SET_CONFIG + config.to_bytes(),)
