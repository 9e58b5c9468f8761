"""Every path: from each firmware a unit may run to each goal, as the planner plans it, or why there is none over the air."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Final

from mitherm.device.identify import Identity
from mitherm.device.observation import Observation
from mitherm.errors import KeysMissing, MithermError
from mitherm.image.inspect import inspect
from mitherm.image.sign_file import SignFile
from mitherm.image.synth import SIGN_KIND, package
from mitherm.model.address import Address
from mitherm.model.family import Family
from mitherm.model.gatt import GattTable
from mitherm.model.models import LYWSD03MMC, account_line
from mitherm.model.operation import StepKind
from mitherm.ops.files.images import ImageRequest, SelectedImage
from mitherm.ops.updating.plan import make_plan
from mitherm.ops.updating.steps import Assets, Plan
from mitherm.primitives.secret import Secret
from mitherm.protocol.pvvx.keys import MacRecord, MiRecords

GOALS: Final = (
    "pvvx",
    "atc1441",
    "stock-1.0.0_0109",
    "stock-1.0.0_0130",
    "stock-2.1.1_0159",
    "stock-2.1.1_0159_B1.6",
    "mi-home-ready",
)
NEWEST_PVVX: Final = "5.8"
_ADDRESS: Final = Address.parse("A4:C1:38:00:00:01")
_WIRE: Final = "no road over the air; use the wire"


@dataclass(frozen=True, slots=True)
class Start:
    """A unit as it may be found: what it runs, whether it holds keys, whether the vault has them."""

    label: str
    observation: Observation
    can_log_in: bool = False


@dataclass(frozen=True, slots=True)
class UpdatePath:
    """How to come from one state to one goal: `steps` (none where it is reached already), or what is in the way."""

    start: str
    goal: str
    steps: tuple[str, ...] = ()
    needs: str = ""
    """What the owner must do first; the path is open then."""
    closed: str = ""
    """Why there is none."""


def update_paths() -> list[UpdatePath]:
    """All of them."""
    return [_path(start, goal) for start in starts() for goal in GOALS]


def starts() -> Iterator[Start]:
    """The states a unit may be found in."""
    for version in ("1.0.0_0109", "1.0.0_0130", "2.1.1_0159"):
        yield Start(f"stock {version}, not bound", _stock(version, registered=False))
        yield Start(f"stock {version}, bound, keys in the vault", _stock(version, registered=True), can_log_in=True)
        yield Start(f"stock {version}, bound, keys unknown", _stock(version, registered=True))
    yield Start(
        "stock 2.1.1_0159 build B1.6, bound, keys in the vault",
        _stock("2.1.1_0159", registered=True, serial="F2.0-CFMK-LB-ZCXTJ--06"),
        can_log_in=True,
    )
    yield Start("stock, bound by a flasher (-29), keys in the vault", _flashers(), can_log_in=True)
    yield Start("atc1441", _unit(Family.ATC1441, None, hardware=None))
    yield Start("pvvx 5.8", _unit(Family.PVVX, NEWEST_PVVX, records=_records()))
    yield Start("pvvx 4.5", _unit(Family.PVVX, "4.5", records=_records()))
    yield Start("Zigbee", _unit(Family.ZBDEVICE, None))
    yield Start("PHY62x2", _unit(Family.PHY62X2, None))
    yield Start("other or unknown", _unit(Family.OTHER, None))


def _path(start: Start, goal: str) -> UpdatePath:
    try:
        plan = make_plan(goal, start.observation, Assets(can_log_in=start.can_log_in, find_image=_everything))
    except KeysMissing as missing:
        return UpdatePath(start.label, goal, needs=f"{missing.message} ({missing.hint})")
    except MithermError as problem:
        hint = f": {problem.hint}" if problem.hint else ""
        return UpdatePath(start.label, goal, closed=f"{_WIRE}{hint}")
    return UpdatePath(start.label, goal, _steps(plan))


def _steps(plan: Plan) -> tuple[str, ...]:
    return tuple(stage.record.label for stage in plan.stages if stage.record.kind is not StepKind.VERIFY)


# --- units and images for the purpose ---------------------------------------------------------------------------------


def _unit(
    family: Family, version: str | None, *, hardware: str | None = "B1.4", records: MiRecords | None = None
) -> Observation:
    identity = Identity(family, version, LYWSD03MMC, hardware, hardware)
    return Observation(_ADDRESS, identity, GattTable(()), records=records, proofs=(("advertised", _ADDRESS),))


def _stock(version: str, *, registered: bool, serial: str = "F1.0-CFMK-LB-ZCXTJ--", did: str = "") -> Observation:
    identity = Identity(Family.STOCK, version, LYWSD03MMC, "B1.4", "B1.4")
    return Observation(
        _ADDRESS,
        identity,
        GattTable(()),
        did=did or ("blt.3.1abcdefghijkl" if registered else None),
        did_read=True,
        mi_generation=2 if account_line(version) else 1,
        registered=registered,
        serial=serial,
        proofs=(("advertised", _ADDRESS),),
    )


def _flashers() -> Observation:
    return _stock("1.0.0_0130", registered=True, did="blt.3.129vAbCdEfATC")


def _records() -> MiRecords:
    return MiRecords(
        MacRecord(_ADDRESS, bytes(2)), b"blt.3.1abcdefghijkl".rjust(20, b"\0"), Secret(bytes(28)), bytes(4)
    )


def _everything(request: ImageRequest) -> SelectedImage:
    """A library with every image in it, played by synthetic ones."""
    version = request.version or (NEWEST_PVVX if request.family is Family.PVVX else None)
    kind = f"{request.family}-{version}" if version else request.family
    return _image(kind, request.signed_for is not None)


@cache
def _image(kind: str, signed: bool) -> SelectedImage:
    data = package(kind)
    if signed:
        data = SignFile.from_bytes(package(SIGN_KIND)).apply(data)
    return SelectedImage(kind, data, inspect(data))
