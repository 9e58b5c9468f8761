"""Activate a stock unit of generation 1: the new keys are in the vault before the unit commits them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from mitherm.device.abilities import Abilities
from mitherm.device.observation import Observation
from mitherm.errors import GuardRefused, KeysMismatch, KeysMissing, LinkError, MiAuthRefused, NotSupported
from mitherm.model.access import Access
from mitherm.model.address import Address
from mitherm.model.family import Family
from mitherm.model.keys import MiKeys
from mitherm.model.operation import Outcome, StepKind
from mitherm.model.record import KeyGeneration
from mitherm.model.sighting import Sighting
from mitherm.ops.bench import Bench
from mitherm.ops.guards import RULES, Case, enforce
from mitherm.ops.keys.login import login_with_vault
from mitherm.ops.look import look
from mitherm.ops.next_step import KEYS_HINT, NextStep, next_command, next_for
from mitherm.ops.target import resolve
from mitherm.protocol.events import StepEnd
from mitherm.protocol.mi.client import login, register
from mitherm.radio.driver import run
from mitherm.radio.link import Link

ORIGIN = "activation"
GENERATION_2: Final = (
    "stock 2.1.1_0159 accepts no keys made here: add the unit in Mi Home, fetch token and bind key from your account, "
    "and put them into the vault"
)
GENERATION_2_HINT: Final = f"{KEYS_HINT}, then repeat this command"


@dataclass(frozen=True, slots=True)
class Activation:
    """The generation the unit now holds, None after a dry run, and how it came to that."""

    generation: KeyGeneration | None
    outcome: Outcome
    """ACTIVATED, NOTHING_TO_DO or DRY_RUN."""

    @property
    def changed(self) -> bool:
        """Whether the keys are new."""
        return self.outcome.changed


async def activate(bench: Bench, unit: Address | str) -> Activation:
    """Activate `address`, or find that the vault can log in already. A dry run ends after the guards.

    Raises NotSupported (custom firmware), KeysMissing (generation 2), GuardRefused (H9, H16), MiAuthRefused.
    """
    address = await resolve(bench, unit)
    with bench.stores.journal.operation("activate", address, bench.wall) as entry:
        subject = await look(bench, address)
        access = bench.stores.vault.access(address)
        _check_kind(subject.observation, access)
        if subject.observation.registered and access.can_log_in:
            try:
                generation = await login_with_vault(bench, address)
            except KeysMismatch:
                bench.warn("the keys in the vault are not those of the unit")
            else:
                entry.outcome(Outcome.NOTHING_TO_DO)
                return Activation(generation, Outcome.NOTHING_TO_DO)
        if bench.dry_run:
            _check(bench, address, subject.observation)
            entry.outcome(Outcome.DRY_RUN)
            return Activation(None, Outcome.DRY_RUN)
        generation = await register_unit(bench, address, subject.sighting, subject.observation)
        entry.outcome(Outcome.ACTIVATED)
        return Activation(generation, Outcome.ACTIVATED)


def _check_kind(observation: Observation, access: Access) -> None:
    step = next_for(observation, access)
    if observation.family.custom:
        raise NotSupported(
            f"{observation.label} runs: custom firmware needs no activation",
            hint=f"flash it directly: `{next_command(step, observation.address)}`",
        )
    if observation.family is not Family.STOCK:
        raise NotSupported(f"{observation.label} cannot be activated")
    if Abilities.of(observation).needs_account:
        needed = step in (None, NextStep.KEYS_NEEDED)
        raise KeysMissing(
            GENERATION_2,
            hint=GENERATION_2_HINT if needed else f"`{next_command(step, observation.address)}` is possible already",
        )


def _check(bench: Bench, address: Address, observation: Observation, goal: str = "") -> None:
    bench.stores.vault.check_writable(address)
    try:
        enforce(RULES, Case("activate", address, observation, goal=goal), bench.waivers)
    except GuardRefused as refusal:
        if refusal.rule == "H9":
            refusal.hint = f"to use the keys it holds: {KEYS_HINT}"
        raise


async def register_unit(
    bench: Bench, address: Address, sighting: Sighting, observation: Observation, *, goal: str = ""
) -> KeyGeneration:
    """Guards, registration, login with the new token in the same connection, confirmation in the vault.

    `goal`: where the plan leads that this is a step of.
    """
    _check(bench, address, observation, goal)
    vault = bench.stores.vault
    generations: list[KeyGeneration] = []

    def keep(keys: MiKeys) -> None:
        generations.append(vault.add(address, keys, ORIGIN, bench.wall()))
        bench.tell(StepEnd(StepKind.KEYS, f"new keys {keys.fingerprint} are in the vault, read back from disk"))

    async with Link(bench.radio, sighting) as link:
        keys = await run(register(bench.entropy), link, on_event=bench.tell, keeper=keep)
        generation = vault.confirm(generations[-1], bench.wall())
        await _prove(bench, link, keys)
    bench.tell(StepEnd(StepKind.ACTIVATE, f"{address} is activated, DID {keys.did}"))
    return generation


async def _prove(bench: Bench, link: Link, keys: MiKeys) -> None:
    """A login with the new token; that it was stored is known already, so a refusal or a lost link is worth a warning, no more."""
    token = keys.login_token
    if token is None:
        return
    try:
        await run(login(token, bench.entropy), link, on_event=bench.tell)
    except (KeysMismatch, MiAuthRefused, LinkError) as problem:
        bench.warn(f"the unit took the new keys but not the login: {problem.message}", problem.hint)
