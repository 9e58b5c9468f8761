"""A report that may be posted: facts and findings, addresses and DIDs shortened, no key material.

Only named facts go in; the finished text is then cleaned again, so that a fact that quotes something cannot leak it.
"""

from __future__ import annotations

import json
import platform
import re
import sys
from importlib import metadata
from typing import Final

from mitherm.cli.documents import Document
from mitherm.cli.documents.diagnosis import finding
from mitherm.model.address import Address
from mitherm.ops.doctor.evidence import Evidence
from mitherm.ops.doctor.examine import Examination
from mitherm.ops.doctor.host import Host
from mitherm.store.journal import Run
from mitherm.store.moments import iso

PACKAGES: Final = ("mitherm", "bleak", "cryptography", "dbus-fast", "bumble", "click", "rich")
RUNS: Final = 20
"""Operations of the journal that go in, the newest."""
HIDDEN: Final = "<hidden>"
_UUID = r"\b[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}\b"
_KEY = r"(?:[0-9A-Fa-f]{2}[ :\-]?){11,}[0-9A-Fa-f]{2}"
"""12 bytes or more in hex: nothing that long is needed."""
_ADDRESS = r"(?<![0-9A-Fa-f])[0-9A-Fa-f]{2}([:\-_.]?)[0-9A-Fa-f]{2}(?:\4[0-9A-Fa-f]{2}){4}(?![0-9A-Fa-f])"
_HEX: Final = re.compile(f"({_UUID})|({_KEY})|({_ADDRESS})")
_DID: Final = re.compile(r"\b(blt\.\d\.)(\w{0,4})\w*|\b(lumi|miio)\.[\w.]+")
_NAME: Final = re.compile(r"\b([A-Z0-9]{3}_)[0-9A-Fa-f]{4}([0-9A-Fa-f]{2})\b")


def bundle(done: Examination) -> bytes:
    """The report as a JSON file."""
    host = done.evidence[0]
    document = {
        "schema": 1,
        "report": "mitherm doctor",
        "versions": versions(),
        "system": {"os": platform.platform(), "python": platform.python_version(), "platform": sys.platform},
        "host": _host(host.host),
        "told": sorted(host.complaint.names),
        "findings": [finding(each) for each in done.findings],
        "units": [_unit(evidence) for evidence in done.evidence if evidence.unit is not None],
        "journal": [_run(run) for run in host.runs[-RUNS:]],
    }
    text = json.dumps(document, indent=2, ensure_ascii=False)
    return (clean(text) + "\n").encode()


def versions() -> dict[str, str | None]:
    """Installed versions of what matters for a diagnosis."""
    versions: dict[str, str | None] = {}
    for name in PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = None
    return versions


def clean(text: str) -> str:
    """Addresses, default names and DIDs shortened, everything that could be a key hidden; UUIDs stay."""
    return _DID.sub(_short_did, _NAME.sub(r"\1..\2", _HEX.sub(_short_hex, text)))


def _short_hex(match: re.Match[str]) -> str:
    uuid, key, address = match[1], match[2], match[3]
    if uuid:
        return str(uuid)
    return HIDDEN if key else short_address(address)


def short_address(text: str) -> str:
    """A4:C1:38:..:..:01: maker and last byte, so that units of one report can be told apart."""
    address = str(Address.parse(text))
    return f"{address[:8]}:..:..:{address[-2:]}"


def _short_did(match: re.Match[str]) -> str:
    """The first characters tell whether a flasher made it up."""
    return f"{match[1]}{match[2]}.." if match[1] else f"{match[3]}..."


def _host(host: Host) -> Document:
    return {
        "checked": host.checked,
        "problem": host.problem,
        "adapters": list(host.adapters),
        "rfkill": host.blocked,
        "dbus": host.dbus,
        "scanners": list(host.scanners),
        "serial_ports": [port.path for port in host.ports],
        "clock": host.clock,
    }


def _unit(evidence: Evidence) -> Document:
    air, contact, observation = evidence.air, evidence.contact, evidence.observation
    return {
        "address": str(evidence.unit),
        "air": {
            "listened_s": round(air.listened_s, 1),
            "adverts": air.adverts,
            "others": air.others,
            "formats": sorted(air.formats),
            "rssi_dbm": air.rssi_dbm,
            "interval_s": air.interval_s,
            "idle_mv": air.idle_mv,
            "encrypted": air.encrypted,
            "decrypted": air.decrypted,
        },
        "problem": contact.problem if contact is not None else None,
        "protected": contact.protected if contact is not None else None,
        "firmware": observation.label if observation is not None else None,
        "model": observation.identity.model if observation is not None else None,
        "hardware": observation.identity.hardware_string if observation is not None else None,
        "confidence": observation.identity.confidence if observation is not None else None,
        "reasons": list(observation.identity.evidence) if observation is not None else [],
        "services": list(observation.gatt.service_uuids) if observation is not None else [],
        "battery_mv": observation.battery_mv if observation is not None else None,
        "did": observation.did if observation is not None else None,
        "mi_generation": observation.mi_generation if observation is not None else None,
        "registered": observation.registered if observation is not None else None,
        "keys": [
            {"fingerprint": key.keys.fingerprint, "origin": key.origin, "kind": key.kind}
            for key in sorted((*evidence.access.generations, *evidence.access.beacon_keys), key=lambda key: key.created)
        ],
        "logins": [
            {"fingerprint": each.token.generation.keys.fingerprint, "answer": each.answer} for each in evidence.logins
        ],
    }


def _run(run: Run) -> Document:
    return {
        "started": iso(run.started),
        "operation": run.operation,
        "address": str(run.address) if run.address is not None else None,
        "steps": [step.text for step in run.steps],
        "waivers": list(run.waivers),
        "outcome": run.outcome,
        "error": run.error,
    }
