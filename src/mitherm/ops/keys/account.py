"""Keys from the owner's account into the vault. It blocks; from an event loop call it with `asyncio.to_thread`."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from mitherm.cloud.devices import AccountUnit, units_of
from mitherm.cloud.driver import Person, perform
from mitherm.cloud.effects import Procedure
from mitherm.cloud.hosts import REGIONS
from mitherm.cloud.password_login import Credentials, password_login
from mitherm.cloud.qr_login import qr_login
from mitherm.cloud.session import Ground
from mitherm.cloud.web import Web
from mitherm.errors import KeysMissing
from mitherm.model.record import KeyGeneration
from mitherm.protocol.events import Event, Notice
from mitherm.store.vault import Vault

ORIGIN: Final = "account"


@dataclass(frozen=True, slots=True)
class Service:
    """The account service, and the person whose account it is."""

    ground: Ground
    web: Web
    person: Person
    tell: Callable[[Event], None]
    sleep: Callable[[float], None] = time.sleep


@dataclass(frozen=True, slots=True)
class AccountKeys:
    """Keys of one unit, in the vault."""

    generation: KeyGeneration
    name: str
    model: str
    region: str
    new: bool
    """Whether the vault's newest keys of this unit were others."""


@dataclass(frozen=True, slots=True)
class KeyFetch:
    """What the account gave. `problems`: one sentence per region or unit that kept something back."""

    units: tuple[AccountKeys, ...]
    problems: tuple[str, ...]


def fetch_keys(
    service: Service, vault: Vault, *, regions: Sequence[str] = REGIONS, credentials: Credentials | None = None
) -> KeyFetch:
    """Log in (by QR code, or with credentials), read all BLE units, keep their keys. Nothing of the login is kept.

    Raises CloudError, NetworkUnreachable, AnswerNeeded, DiskProblem; KeysMissing when there is no such unit.
    """
    vault.check_writable()
    problems: list[str] = []

    def tell(event: Event) -> None:
        if isinstance(event, Notice):
            problems.append(event.text)
        service.tell(event)

    units = perform(
        _conversation(service.ground, regions, credentials),
        service.web,
        person=service.person,
        tell=tell,
        sleep=service.sleep,
    )
    if not units:
        raise KeysMissing(
            f"the account has no Bluetooth thermometer in {_places(regions)}",
            hint="Add the unit in Mi Home first; or the account or its region is another one.",
            result=KeyFetch((), tuple(problems)),
        )
    return KeyFetch(tuple(_keep(vault, unit, service.ground.clock()) for unit in units), tuple(problems))


def _conversation(
    ground: Ground, regions: Sequence[str], credentials: Credentials | None
) -> Procedure[tuple[AccountUnit, ...]]:
    login = qr_login(ground) if credentials is None else password_login(ground, credentials)
    session = yield from login
    return (yield from units_of(ground, session, regions))


def _keep(vault: Vault, unit: AccountUnit, epoch_s: float) -> AccountKeys:
    ids = {stored.id for stored in vault.access(unit.address).generations}
    generation = vault.add(unit.address, unit.keys, ORIGIN, datetime.fromtimestamp(epoch_s, UTC), note=unit.name)
    return AccountKeys(generation, unit.name, unit.model, unit.region, generation.id not in ids)


def _places(regions: Sequence[str]) -> str:
    return f"region {regions[0]}" if len(regions) == 1 else "any region"
