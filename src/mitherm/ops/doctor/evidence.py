"""Everything the rules judge: facts about one unit and this computer. None means: not known."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, TypeAlias

from mitherm.device.abilities import Abilities
from mitherm.device.observation import Observation
from mitherm.image.catalogue import Catalogue
from mitherm.image.shipped import shipped_catalogue
from mitherm.model.access import Access, LoginToken
from mitherm.model.address import Address
from mitherm.model.family import BeaconFormat, Family
from mitherm.ops.doctor.host import Host
from mitherm.ops.doctor.symptoms import Complaint
from mitherm.ops.next_step import NextStep, next_for
from mitherm.store.inventory import KnownUnit
from mitherm.store.journal import Run

LoginAnswer: TypeAlias = Literal["right", "wrong", "refused", "silent"]

CLOUD_ORIGINS_NOT: frozenset[str] = frozenset({"activation", "unit", "pvvx", "typed", "flasher"})
"""Origins that are not the owner's account."""


@dataclass(frozen=True, slots=True)
class Air:
    """What was heard of the unit without a connection (V1)."""

    listened_s: float = 0.0
    others: int = 0
    """Adverts of anything else: proof that the radio hears."""
    adverts: int = 0
    name: str | None = None
    formats: frozenset[BeaconFormat] = frozenset()
    rssi_dbm: int | None = None
    """Median."""
    interval_s: float | None = None
    """Median time between two reports."""
    idle_mv: int | None = None
    """Supply voltage that adverts tell: without a link, that is without load."""
    encrypted: int = 0
    """Different encrypted payloads."""
    decrypted: int = 0
    """Those of them that a key of the vault opened."""

    @property
    def heard(self) -> bool:
        """Whether the unit advertises within reach."""
        return self.adverts > 0


@dataclass(frozen=True, slots=True)
class Contact:
    """What a connection showed (V2 to V5)."""

    observation: Observation | None = None
    problem: str | None = None
    """Why it could not be read."""
    protected: bool = False
    """A read was refused for want of pairing."""
    config: bytes | None = None
    """pvvx: value of 1F1F."""
    newest_record_s: int | None = None
    """Clock of the unit: stock's clock, or the time of pvvx' newest history record."""


@dataclass(frozen=True, slots=True)
class Login:
    """One token of the vault, tested (V6)."""

    token: LoginToken
    answer: LoginAnswer

    @property
    def from_account(self) -> bool:
        """Whether this is what the cloud believes the unit holds."""
        return self.token.generation.origin not in CLOUD_ORIGINS_NOT


@dataclass(frozen=True, slots=True)
class Evidence:
    """All of it. `unit` None: this computer and nothing else is judged."""

    complaint: Complaint = field(default_factory=Complaint)
    host: Host = field(default_factory=Host)
    unit: Address | None = None
    air: Air = field(default_factory=Air)
    contact: Contact | None = None
    """None where the unit was not heard."""
    logins: tuple[Login, ...] = ()
    access: Access = field(default_factory=Access)
    """What the vault has of the unit."""
    saved_config: bytes | None = None
    """The newest reply to 55 in the vault."""
    runs: tuple[Run, ...] = ()
    """What the journal tells: of the unit, or, without one, of all."""
    known: KnownUnit | None = None
    """What the inventory knew before this look."""
    damaged_images: tuple[str, ...] = ()
    now: datetime | None = None
    catalogue: Catalogue = field(default_factory=shipped_catalogue)
    """Where the bad combinations of image and board stand."""

    # --- shorthands the rules read like words -------------------------------------------------------------------------

    def says(self, *names: str) -> bool:
        """Whether the user told one of these symptoms."""
        return bool(self.complaint.names & set(names))

    def unprompted(self, *names: str) -> bool:
        """Whether nothing was told, or one of these: for what is no trouble to somebody who has another one."""
        return not self.complaint.names or self.says(*names)

    @property
    def observation(self) -> Observation | None:
        """The unit as it presented itself."""
        return self.contact.observation if self.contact is not None else None

    @property
    def stock(self) -> Observation | None:
        """The observation where stock firmware runs."""
        return self.observation if self.observation is not None and self.observation.family is Family.STOCK else None

    @property
    def custom(self) -> Observation | None:
        """The observation where pvvx or atc1441 runs."""
        return self.observation if self.observation is not None and self.observation.family.custom else None

    @property
    def generation_2(self) -> Observation | None:
        """The observation where stock runs that only Mi Home can activate."""
        return self.stock if self.stock is not None and Abilities.of(self.stock).needs_account else None

    @property
    def next_step(self) -> NextStep | None:
        """What comes next with the unit. Tokens that it refused are none."""
        if self.observation is None:
            return None
        refuted = {login.token.secret for login in self.logins if login.answer in ("wrong", "refused")}
        return next_for(self.observation, self.access.without(refuted))

    @property
    def answers(self) -> set[LoginAnswer]:
        """What the logins gave."""
        return {login.answer for login in self.logins}

    @property
    def last_update(self) -> Run | None:
        """The last operation that sent, or wanted to send, an image."""
        return next((run for run in reversed(self.runs) if run.operation in ("flash", "bring") and run.steps), None)
