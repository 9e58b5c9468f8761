"""The virtual Mi Home: one app with its account, state in DIR/mi-home.toml (virtual-unit.md 6)."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Literal, Self

import tomli_w

from mitherm.errors import DeviceNotFound, MiHomeRefused, SchemaTooNew, SettingsError
from mitherm.image.synth import VALID, root_scalar
from mitherm.model.address import Address
from mitherm.model.keys import MiKeys, did_record
from mitherm.primitives.crypto import make_certificate, private_key, public_point
from mitherm.primitives.secret import Secret
from mitherm.protocol.effects import Entropy
from mitherm.virtual.central import CentralLink
from mitherm.virtual.factory import new_did
from mitherm.virtual.mi_home import app
from mitherm.virtual.mi_home.rules import CloudEntry, Decision, decide
from mitherm.virtual.world import World, replace_file

SCHEMA: Final = 1
FILE: Final = "mi-home.toml"
LOOK_S: Final = 30.0
Owner = Literal["self", "other"]

MEANINGS: Final = {
    -7: "no notification in time",
    -16: "the unit says that it is not registered",
    -17: "the unit says that it is registered already",
    -27: "notifications cannot be enabled",
    -28: "write or transfer failed: the unit does not offer the Mi characteristics (custom firmware?)",
    -29: "standard verification failed: the cloud refuses the device id",
    -30: "the cloud could not bind the unit",
    -37: "this app does not know the unit's authentication version",
    -47: "malformed device information",
    -48: "the unit wants a code",
    -51: "the unit refused the registration",
    -52: "login proof mismatch: the unit holds other keys than the account",
}


@dataclass(slots=True)
class Device:
    """One entry of the account."""

    address: str
    model: str
    name: str
    did: str
    token: str
    bind_key: str
    added: str
    owner: Owner = "self"
    deleted: bool = False
    sticky: bool = False

    @property
    def keys(self) -> MiKeys:
        """As a value."""
        return MiKeys(Secret.from_hex(self.token), Secret.from_hex(self.bind_key), self.did)


@dataclass(slots=True)
class MiHome:
    """App and account. Every change is saved at once."""

    folder: Path
    entropy: Entropy
    wall: Callable[[], datetime]
    app_generation: int = 2
    refuse_next: int = 0
    bind_fail_next: int = 0
    cloud_key: str = ""
    devices: list[Device] = field(default_factory=list)
    issued: list[tuple[str, str]] = field(default_factory=list)
    """(DID, address) of every DID the cloud ever gave out."""

    # --- state --------------------------------------------------------------------------------------------------------

    @classmethod
    def open(cls, folder: Path, entropy: Entropy, wall: Callable[[], datetime]) -> Self:
        """From DIR/mi-home.toml, or a new account. Raises SettingsError, SchemaTooNew."""
        home = cls(folder, entropy, wall)
        path = folder / FILE
        if path.exists():
            try:
                home._take(tomllib.loads(path.read_text()))
            except (tomllib.TOMLDecodeError, KeyError, TypeError) as problem:
                raise SettingsError(f"{path}: {problem}") from problem
        home.cloud_key = home.cloud_key or entropy(32).hex()
        return home

    def _take(self, state: dict[str, Any]) -> None:
        if state.get("schema", SCHEMA) > SCHEMA:
            raise SchemaTooNew(f"{FILE} was written by a newer mitherm")
        account = state.get("account", {})
        self.app_generation = int(account.get("app_generation", 2))
        self.refuse_next = int(account.get("refuse_next", 0))
        self.bind_fail_next = int(account.get("bind_fail_next", 0))
        self.cloud_key = str(account.get("cloud_key", ""))
        self.devices = [Device(**entry) for entry in state.get("device", [])]
        self.issued = [(entry["did"], entry["address"]) for entry in state.get("issued", [])]

    def save(self) -> None:
        """Write DIR/mi-home.toml."""
        account = {
            name: getattr(self, name) for name in ("app_generation", "refuse_next", "bind_fail_next", "cloud_key")
        }
        state = {
            "schema": SCHEMA,
            "account": account,
            "device": [asdict(device) for device in self.devices],
            "issued": [{"did": did, "address": address} for did, address in self.issued],
        }
        replace_file(self.folder / FILE, tomli_w.dumps(state).encode())

    # --- what a person does in the app --------------------------------------------------------------------------------

    def add(self, world: World, address: Address, now: float) -> float:
        """Add a unit; returns the time it is then. Raises DeviceNotFound, MiHomeRefused with the app's code."""
        link = self._connect(world, address, now)
        account = app.Account(
            app_generation=self.app_generation,
            decide=lambda did: self._decide(address, did),
            refuses=lambda: self._count_down("refuse_next"),
            bind_fails=lambda: self._count_down("bind_fail_next"),
            issue=lambda: self._issue(address),
            bind=lambda keys: self.enter(address, keys, link.unit.chip.model),
            certificate=self._certificate,
            utc=int(self.wall().timestamp()),
        )
        code = app.add(link, account, self.entropy)
        link.close()
        self.save()
        _raise(code)
        return link.now

    def sync(self, world: World, address: Address, now: float) -> float:
        """Log in with the account's token. Raises DeviceNotFound, MiHomeRefused."""
        token = self.live(address).keys.token
        link = self._connect(world, address, now)
        code = app.sync(link, token.reveal() if token else b"", self.entropy)
        link.close()
        _raise(code)
        return link.now

    def remove(self, address: Address) -> None:
        """Delete the unit from the account; the unit itself is not touched. Raises DeviceNotFound."""
        entry = self._entry(address)
        if entry is None or entry.deleted:
            raise DeviceNotFound(f"{address} is not in this account")
        entry.deleted = True
        self.save()

    def live(self, address: Address) -> Device:
        """The live entry; raises MiHomeRefused (exit 5) when there is none."""
        entry = self._entry(address)
        if entry is None or entry.deleted:
            raise MiHomeRefused(f"{address} is not in this account", mi_home_code=None)
        return entry

    def enter(self, address: Address, keys: MiKeys, model: str) -> None:
        """Write the account entry of a unit; the DID counts as issued."""
        if keys.token is None or keys.bind_key is None or keys.did is None:
            raise ValueError("an entry needs token, bind key and DID")
        self.devices = [device for device in self.devices if device.address != str(address)]
        token, bind_key = keys.token.reveal().hex(), keys.bind_key.reveal().hex()
        added = self.wall().isoformat(timespec="seconds")
        self.devices.append(Device(str(address), model, model, keys.did, token, bind_key, added))
        self.know(keys.did, address)
        self.save()

    def know(self, did: str, address: Address) -> None:
        """The cloud gave out this DID for this unit."""
        if (did, str(address)) not in self.issued:
            self.issued.append((did, str(address)))

    # --- the cloud ----------------------------------------------------------------------------------------------------

    def _entry(self, address: Address) -> Device | None:
        return next((device for device in self.devices if device.address == str(address)), None)

    def _decide(self, address: Address, did: str | None) -> Decision:
        entry = self._entry(address)
        cloud = CloudEntry(entry.owner, entry.deleted, entry.sticky) if entry is not None else None
        issued = [issued_did for issued_did, unit in self.issued if unit == str(address)]
        return decide(did, issued_here=issued, entry=cloud)

    def _count_down(self, name: str) -> bool:
        left = int(getattr(self, name))
        setattr(self, name, max(0, left - 1))
        return left > 0

    def _issue(self, address: Address) -> bytes:
        did = new_did(self.entropy)
        self.know(did, address)
        return did_record(did)

    def _certificate(self) -> tuple[bytes, bytes]:
        scalar = bytes.fromhex(self.cloud_key)
        certificate = make_certificate(
            ("mitherm synthetic root", "virtual Mi cloud"),
            public_point(private_key(scalar)),
            private_key(root_scalar()),
            serial=1,
            valid=VALID,
        )
        return certificate, scalar

    def _connect(self, world: World, address: Address, now: float) -> CentralLink:
        unit = world.find(address)
        return CentralLink(unit, now).connect(LOOK_S)


def _raise(code: int) -> None:
    if code != app.OK:
        meaning = MEANINGS.get(code, "failed")
        raise MiHomeRefused(f"Mi Home: {meaning} ({code})", mi_home_code=code, hint=_HINTS.get(code))


_HINTS: Final = {
    -29: "`mitherm bring UNIT --to mi-home-ready` finds the cause and cures it",
    -28: "`mitherm bring UNIT --to mi-home-ready` puts stock firmware back",
}
