"""Connecting to one unit and reading what the rules need (V2 to V6). Nothing is written that has an effect."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Final, TypeVar

from mitherm.device.inspect import inspect_link, is_bound
from mitherm.device.observation import Observation
from mitherm.errors import (
    AttRefused,
    DeviceNotFound,
    KeysMismatch,
    LinkError,
    MiAuthRefused,
    MithermError,
    ProtocolError,
)
from mitherm.model.access import LoginToken
from mitherm.model.address import Address
from mitherm.model.family import Family
from mitherm.model.sighting import Sighting
from mitherm.ops.bench import Bench
from mitherm.ops.doctor.evidence import Contact, Login, LoginAnswer
from mitherm.primitives.secret import Secret
from mitherm.protocol import uuids
from mitherm.protocol.effects import Procedure
from mitherm.protocol.mi.client import login
from mitherm.protocol.pvvx.client import read_history
from mitherm.protocol.stock import read_clock
from mitherm.radio.driver import run
from mitherm.radio.link import Link
from mitherm.retry import retry

ATTEMPTS: Final = 3
"""Connections before a unit counts as unreachable: a single lost one is nothing."""
MOST_TOKENS: Final = 6
_UNPAIRED: Final = frozenset({0x05, 0x08, 0x0C, 0x0F})
"""ATT errors: insufficient authentication, authorisation, key size, encryption."""

_log = logging.getLogger(__name__)
_T = TypeVar("_T")


async def contact(bench: Bench, address: Address, sighting: Sighting, *, history: bool = False) -> Contact:
    """Connect, identify, ask whether it is registered. `history`: read the unit's clock too."""
    trouble = (LinkError, DeviceNotFound)
    try:
        answers = await retry(lambda: _once(bench, address, sighting, history), trouble, attempts=ATTEMPTS)
    except trouble as problem:
        return Contact(problem=f"{ATTEMPTS} connections failed: {problem.message}")
    return replace(answers, observation=await _registered(bench, sighting, answers.observation))


async def _once(bench: Bench, address: Address, sighting: Sighting, history: bool) -> Contact:
    async with Link(bench.radio, sighting) as link:
        protected, config = await _command(link)
        observation = await inspect_link(link, address, sighting, weigh=True)
        clock = await _clock(link, observation) if history else None
        if link.lost:
            link_lost = "the unit dropped the link while it was read"
            raise LinkError(link_lost)
    return Contact(
        observation=observation,
        protected=protected,
        config=config if observation.family is Family.PVVX else None,
        newest_record_s=clock,
    )


async def _command(link: Link) -> tuple[bool, bytes | None]:
    """Whether pvvx' command characteristic wants pairing, and its value: version and configuration."""
    characteristic = link.gatt.find(uuids.CUSTOM_COMMAND)
    if characteristic is None or "read" not in characteristic.properties:
        return False, None
    try:
        return False, await link.read(uuids.CUSTOM_COMMAND)
    except AttRefused as refusal:
        return refusal.code in _UNPAIRED, None


async def _clock(link: Link, observation: Observation) -> int | None:
    """The clock of stock firmware; of pvvx the time of its newest record."""
    if observation.family is Family.STOCK:
        return await _tried(link, read_clock())
    if observation.family is Family.PVVX:
        records = await _tried(link, read_history(1))
        return records[0].time if records else None
    return None


async def _tried(link: Link, procedure: Procedure[_T]) -> _T | None:
    try:
        return await run(procedure, link)
    except (LinkError, ProtocolError, MithermError) as problem:
        _log.info("%s", problem)
        return None


async def _registered(bench: Bench, sighting: Sighting, observation: Observation | None) -> Observation | None:
    """V5, on a connection of its own."""
    if observation is None or observation.family is not Family.STOCK or observation.registered is not None:
        return observation
    try:
        async with Link(bench.radio, sighting) as link:
            return replace(observation, registered=await is_bound(link, bench.entropy))
    except LinkError as problem:
        _log.info("%s", problem)
        return observation


async def try_tokens(bench: Bench, sighting: Sighting, tokens: Sequence[LoginToken]) -> tuple[Login, ...]:
    """Log in with each token, on a link of its own: after a mismatch the unit ignores the next one."""
    answers: dict[Secret, LoginAnswer] = {}
    tried: list[Login] = []
    for token in tokens:
        if token.secret not in answers:
            if len(answers) == MOST_TOKENS:
                continue
            answers[token.secret] = await _login(bench, sighting, token.secret)
        tried.append(Login(token, answers[token.secret]))
    return tuple(tried)


async def _login(bench: Bench, sighting: Sighting, token: Secret) -> LoginAnswer:
    try:
        async with Link(bench.radio, sighting) as link:
            await run(login(token, bench.entropy), link)
    except KeysMismatch:
        return "wrong"
    except MiAuthRefused:
        return "refused"
    except (LinkError, ProtocolError) as problem:
        _log.info("%s", problem)
        return "silent"
    return "right"
