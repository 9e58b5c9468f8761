"""What comes next with a unit, and the command to type for it: the one answer of scan, info, doctor and closing words."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from mitherm.device.abilities import Abilities
from mitherm.device.observation import Observation
from mitherm.model.access import Access
from mitherm.model.address import Address
from mitherm.model.family import Family
from mitherm.ops.bench import Stores

KEYS_HINT: Final = "`mitherm keys fetch` (from your account) or `mitherm keys import FILE`"
"""How keys that are needed get into the vault."""
MONITOR: Final = "mitherm monitor"
"""What custom firmware was put on for, and what bind keys are for."""


class NextStep(StrEnum):
    """The words of the contract (virtual-unit.md 7)."""

    FLASH = "flash"
    """An update is taken as the unit is."""
    LOGIN = "login"
    """The vault has a token that should open it."""
    ACTIVATE = "activate"
    """It can be given keys here and now."""
    KEYS_NEEDED = "keys-needed"
    """It holds keys, or takes them from the vendor's account only; the vault has no token."""

    def command(self, unit: Address | str) -> str:
        """What to type, about `unit`."""
        return _COMMANDS[self].format(unit=unit)


_COMMANDS: Final = {
    NextStep.FLASH: "mitherm flash {unit} IMAGE",
    NextStep.LOGIN: "mitherm login {unit}",
    NextStep.ACTIVATE: "mitherm activate {unit}",
    NextStep.KEYS_NEEDED: "mitherm keys fetch",
}
_BY_GENERATION: Final = {1: NextStep.ACTIVATE, 2: NextStep.KEYS_NEEDED}


def next_step(abilities: Abilities, access: Access, bound: bool | None) -> NextStep | None:
    """The step that the running firmware allows and that will not fail; None where nothing is known to be possible.

    `bound` None: not found out. Then a token is worth a try, and else the firmware's generation decides.
    """
    if abilities.family.custom:
        return NextStep.FLASH
    if abilities.family is not Family.STOCK:
        return None
    stock = abilities.stock
    if stock is not None and not stock.needs_login(bound):
        return NextStep.FLASH if stock.supports_ota else None
    if bound is not False and access.can_log_in:
        return NextStep.LOGIN
    return NextStep.KEYS_NEEDED if bound else _BY_GENERATION.get(abilities.generation or 0)


def next_for(observation: Observation, access: Access) -> NextStep | None:
    """The next step with a unit that was looked at."""
    return next_step(Abilities.of(observation), access, observation.registered)


def next_command(step: NextStep | None, unit: Address | str) -> str:
    """What to type; where nothing is known to be possible, what finds out."""
    return step.command(unit) if step is not None else f"mitherm info {unit}"


def after_login(unit: Address | str) -> str:
    """What to type once the unit's keys are known: the update that they open."""
    return f"mitherm bring {unit} --to pvvx"


def after_import(stores: Stores, unit: Address) -> str:
    """What to type once keys are in the vault: a token is tried, a bind key reads beacons."""
    stored = stores.inventory.get(unit)
    custom = stored is not None and stored.family is not None and stored.family.custom
    return NextStep.LOGIN.command(unit) if stores.vault.access(unit).can_log_in and not custom else MONITOR


def after_erase(unit: Address | str) -> str:
    """What to type once a unit on custom firmware holds no identity."""
    return f"mitherm bring {unit} --to mi-home-ready"


def after_restore(unit: Address | str) -> str:
    """What to type once other keys were written into a unit."""
    return f"mitherm keys test {unit}"


def after_update(observation: Observation, access: Access, goal: str) -> str:
    """What to do once a unit runs what it was brought to. For mi-home-ready the app comes first: before, it has no keys."""
    if observation.family.custom:
        return MONITOR
    if goal == "mi-home-ready":
        return f"add it in the Mi Home app, then {NextStep.KEYS_NEEDED.command(observation.address)}"
    return next_command(next_for(observation, access), observation.address)
