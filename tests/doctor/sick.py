"""Sick units: the cases of fleets/sick.toml, and the stages that plant what a unit's spec cannot say."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from mitherm.errors import MiAuthRefused, MiHomeRefused, MithermError, NotVerified, TransferFailed
from mitherm.model.address import Address
from mitherm.model.family import Family
from mitherm.model.keys import MiKeys
from mitherm.model.operation import StepKind, StepRecord
from mitherm.model.record import UnitBackup
from mitherm.ops.bench import Bench
from mitherm.ops.keys.activate import register_unit
from mitherm.ops.look import look
from mitherm.ops.target import find
from mitherm.primitives.secret import Secret
from mitherm.protocol.effects import Procedure
from mitherm.protocol.pvvx.client import read_config, reboot_on_disconnect, set_pin, write_config
from mitherm.protocol.pvvx.config import Config
from mitherm.radio.driver import run
from mitherm.radio.link import Link
from mitherm.virtual.mi_home.account import MiHome
from mitherm.virtual.spec import UnitSpec, spec_from_table
from rig import Rig, wall

FILE = Path(__file__).parent.parent / "fleets" / "sick.toml"
HARDWARE = 0x55000
PVVX = StepRecord(StepKind.FLASH, family=Family.PVVX, version="5.8")
STOCK = StepRecord(StepKind.FLASH, family=Family.STOCK, version="1.0.0_0130")


@dataclass(frozen=True, eq=False)
class Case:
    """One sick unit."""

    address: Address
    finding: str
    spec: UnitSpec
    symptom: str | None = None
    stage: str | None = None

    @property
    def label(self) -> str:
        """For the list of tests."""
        return f"{self.finding}-{self.address.octets[-1]}-{self.stage or self.symptom or self.spec.firmware}"


def cases() -> list[Case]:
    """All of them."""
    table = tomllib.loads(FILE.read_text())
    specs = {unit["address"]: spec_from_table(unit) for unit in table["unit"]}
    return [
        Case(
            Address.parse(sick["address"]),
            sick["finding"],
            specs[sick["address"]],
            sick.get("symptom"),
            sick.get("stage"),
        )
        for sick in table["sick"]
    ]


class Patient:
    """One unit and everything a stage may change."""

    def __init__(self, rig: Rig, case: Case) -> None:
        self.rig, self.case, self.address = rig, case, case.address

    # --- stores -------------------------------------------------------------------------------------------------------

    def vault(self, keys: MiKeys, origin: str = "extractor") -> None:
        """The user has these keys."""
        self.rig.stores.vault.add(self.address, keys, origin, wall())

    def born_with(self) -> MiKeys:
        """The keys the unit was created with."""
        keys = self.rig.keys[self.address]
        assert keys is not None
        return keys

    def journal(self, operation: str, step: StepRecord | None, error: BaseException | None) -> None:
        """The user did this, and it ended so; without an error it was cut off."""
        try:
            with self.rig.stores.journal.operation(operation, self.address, wall) as entry:
                if step is not None:
                    entry.step(step)
                raise error or KeyboardInterrupt
        except (MithermError, KeyboardInterrupt):
            pass

    def seen_before(self, family: str, version: str) -> None:
        """The inventory knows the unit."""
        self.rig.stores.inventory.note(self.address, now=wall(), model="LYWSD03MMC", family=family, version=version)

    # --- the unit -----------------------------------------------------------------------------------------------------

    def talk(self, procedure: Callable[[], Procedure[object]]) -> object:
        """Run a procedure over a link."""

        async def work(bench: Bench) -> object:
            async with Link(bench.radio, await find(bench, self.address)) as link:
                return await run(procedure(), link)

        return self.rig.run(work)

    def configure(self, **values: int) -> None:
        """Change the configuration of pvvx and restart it."""
        config = self.talk(read_config)
        assert isinstance(config, Config)

        def change() -> Procedure[None]:
            yield from write_config(config.changed(values))
            yield from reboot_on_disconnect()

        self.talk(change)

    def hardware(self, text: bytes) -> None:
        """Overwrite the string at 0x55000."""

        def overwrite(data: bytearray) -> None:
            data[HARDWARE : HARDWARE + 24] = text.ljust(24, b"\xff")

        self.rig.world(lambda world: overwrite(world.find(self.address).chip.flash.data))

    # --- Mi Home ------------------------------------------------------------------------------------------------------

    @property
    def home(self) -> MiHome:
        """The virtual app."""
        return MiHome.open(self.rig.folder, os.urandom, wall)

    def app_says(self, code: int) -> None:
        """Adding the unit fails with this code."""
        with pytest.raises(MiHomeRefused) as refusal:
            self.rig.mi_home_adds(self.address)
        assert refusal.value.mi_home_code == code

    def entry(self, **changes: object) -> None:
        """Change the account's entry of the unit, made where there is none."""
        home = self.home
        if not any(device.address == str(self.address) for device in home.devices):
            home.enter(self.address, MiKeys(Secret(bytes(12)), Secret(bytes(16)), "blt.3.1aaaaaaaaaaaa"), "LYWSD03MMC")
        device = next(device for device in home.devices if device.address == str(self.address))
        for name, value in changes.items():
            setattr(device, name, value)
        home.save()

    def account(self, **changes: int) -> None:
        """Change the account."""
        home = self.home
        for name, value in changes.items():
            setattr(home, name, value)
        home.save()


def other_keys() -> MiKeys:
    """Keys nobody uses."""
    return MiKeys(Secret(b"\x01" * 12), Secret(b"\x02" * 16), None)


# --- stages: keys -----------------------------------------------------------------------------------------------------


def old_token(unit: Patient) -> None:
    unit.vault(other_keys())


def bind_key_as_token(unit: Patient) -> None:
    key = unit.born_with().bind_key
    assert key is not None
    unit.vault(MiKeys(Secret(key.reveal()[:12]), key, None), "typed")


def activated_by_tool(unit: Patient) -> None:
    unit.vault(unit.born_with())

    async def work(bench: Bench) -> None:
        found = await look(bench, unit.address)
        await register_unit(bench, unit.address, found.sighting, found.observation)

    unit.rig.run(work, waivers=frozenset({"H9"}))


def reset(unit: Patient) -> None:
    unit.vault(unit.born_with())
    unit.rig.world(lambda world: world.find(unit.address).reset_pad(0.0))


def registration_refused(unit: Patient) -> None:
    unit.journal("activate", None, MiAuthRefused("the unit refused", code=0x12))


def wrong_bind_key(unit: Patient) -> None:
    unit.vault(MiKeys(bind_key=Secret(b"\x05" * 16)), "ha")


def wrong_beacon_key(unit: Patient) -> None:
    encrypted(unit)
    unit.rig.stores.vault.add(unit.address, MiKeys(bind_key=Secret(b"\x05" * 16)), "typed", wall(), kind="beacon_key")


# --- stages: updates --------------------------------------------------------------------------------------------------


def signature_refused(unit: Patient) -> None:
    unit.vault(unit.born_with())
    unit.journal("bring", PVVX, NotVerified("the old firmware is back"))


def dead_after_update(unit: Patient) -> None:
    unit.seen_before("stock", "1.0.0_0130")
    unit.journal("flash", PVVX, NotVerified("not seen"))
    dark(unit)


def dark(unit: Patient) -> None:
    unit.rig.world(lambda world: world.find(unit.address).go_dark())


def transfer_cut_off(unit: Patient) -> None:
    unit.journal("bring", STOCK, None)


def transfer_failed(unit: Patient) -> None:
    unit.journal("flash", PVVX, TransferFailed("broke off"))


def not_taken(unit: Patient) -> None:
    unit.journal("flash", STOCK, NotVerified("the old firmware is back"))


def blank_hardware(unit: Patient) -> None:
    unit.hardware(b"")


def random_hardware(unit: Patient) -> None:
    unit.hardware(b"V_14")


# --- stages: air ------------------------------------------------------------------------------------------------------


def known_custom(unit: Patient) -> None:
    unit.seen_before("pvvx", "5.8")


def long_range(unit: Patient) -> None:
    unit.seen_before("pvvx", "5.8")
    unit.configure(longrange=1)


def pin(unit: Patient) -> None:
    unit.talk(lambda: set_pin(123456))


def encrypted(unit: Patient) -> None:
    unit.configure(adv_crypto=1)


def custom_format(unit: Patient) -> None:
    unit.configure(advertising_type=1)


def logging_off(unit: Patient) -> None:
    unit.configure(averaging=0)


def settings_lost(unit: Patient) -> None:
    config = unit.talk(read_config)
    assert isinstance(config, Config)
    changed = config.changed({"advertising_interval": 80, "fahrenheit": 1})
    reply = Secret(bytes([0x55, changed.version]) + changed.data)
    unit.rig.stores.vault.backup(UnitBackup(unit.address, replies={"55": reply}), wall())


# --- stages: Mi Home --------------------------------------------------------------------------------------------------


def app(unit: Patient) -> None:
    unit.app_says(int(unit.case.symptom or -29))


def other_owner(unit: Patient) -> None:
    unit.entry(owner="other")
    unit.app_says(-29)


def blank_hardware_refused(unit: Patient) -> None:
    unit.hardware(b"")
    unit.account(refuse_next=1)
    unit.app_says(-29)


def sticky_entry(unit: Patient) -> None:
    unit.entry(sticky=True)
    unit.app_says(-29)


def updated_by_app(unit: Patient) -> None:
    unit.seen_before("stock", "1.0.0_0130")
    unit.vault(unit.born_with())
    unit.account(refuse_next=1)
    unit.app_says(-29)


def old_app(unit: Patient) -> None:
    unit.account(app_generation=1)
    unit.app_says(-37)
    unit.account(app_generation=2)


def stale_services(unit: Patient) -> None:
    """The radio is at fault: see `StaleHost`."""


STAGES: dict[str, Callable[[Patient], None]] = {
    name.replace("_", "-"): act
    for name, act in list(globals().items())
    if callable(act) and getattr(act, "__annotations__", {}).get("unit") == "Patient" and not name.startswith("_")
}
