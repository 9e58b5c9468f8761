"""`doctor`: collect the evidence in the order V2, V3, V4, V5, V6, and judge it. Units and stores stay as they are."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from mitherm.errors import ImageCorrupt, MithermError, RadioUnavailable
from mitherm.model.access import LoginToken
from mitherm.model.address import Address
from mitherm.model.family import Family
from mitherm.model.sighting import Sighting
from mitherm.ops.bench import Bench
from mitherm.ops.doctor.contact import contact, try_tokens
from mitherm.ops.doctor.evidence import Contact, Evidence, Login
from mitherm.ops.doctor.finding import Finding
from mitherm.ops.doctor.host import Host, clock_problem, this_host
from mitherm.ops.doctor.listen import Listening, listen
from mitherm.ops.doctor.rules_link import DARK_AFTER_S, RADIO_UNUSABLE
from mitherm.ops.doctor.symptoms import Complaint, understand
from mitherm.ops.doctor.table import diagnose
from mitherm.ops.hearing.listen import all_keys, key_ring
from mitherm.ops.hearing.receiver import Receiver
from mitherm.ops.next_step import next_command
from mitherm.ops.target import resolve

LISTEN_S: Final = 12.0
"""Longer than the longest usual advertising interval."""
LISTEN_FOR_DATA_S: Final = 660.0
"""Stock firmware sends an encrypted object every ten minutes (beacons.md 6.6)."""

HostCheck = Callable[[Address | None], Host]


@dataclass(slots=True)
class Examination:
    """What was found, and on what grounds."""

    evidence: list[Evidence] = field(default_factory=list)
    """The host first."""

    @property
    def findings(self) -> list[Finding]:
        """What explains a symptom that the user told first; then the radio, the units, and the rest of the host."""
        host, units = diagnose(self.evidence[0]), [finding for each in self.evidence[1:] for finding in diagnose(each)]
        first = [finding for finding in host if finding.id == RADIO_UNUSABLE]
        ranked = [*first, *units, *(finding for finding in host if finding not in first)]
        return sorted(ranked, key=lambda finding: not finding.fits)

    @property
    def next_commands(self) -> list[str]:
        """What to type next about each unit that was looked at and for which no finding names a command."""
        answered = {finding.unit for finding in self.findings if finding.command is not None}
        looked_at = [
            evidence for evidence in self.evidence if evidence.unit is not None and evidence.observation is not None
        ]
        return [
            next_command(evidence.next_step, str(evidence.unit))
            for evidence in looked_at
            if evidence.unit not in answered
        ]

    @property
    def units(self) -> list[Address]:
        """Every unit that was examined."""
        return [evidence.unit for evidence in self.evidence if evidence.unit is not None]


async def doctor(
    bench: Bench, unit: Address | str | None = None, *, symptoms: Iterable[str] = (), duration_s: float | None = None
) -> Examination:
    """Find the causes of what is wrong with a unit, or with this computer and every unit that is heard or known.

    `symptoms`: what you see, in words or as a code; `duration_s`: how long to listen. Changes nothing. Raises
    DeviceNotFound, UsageProblem for an ambiguous name and for a symptom that means nothing.
    """
    complaint, used = understand(tuple(symptoms)), bench.radio.name.partition(":")[0] == "system"
    return await examine(bench, unit, complaint, lambda address: this_host(address, used=used), duration_s=duration_s)


async def examine(
    bench: Bench,
    unit: Address | str | None,
    complaint: Complaint,
    check_host: HostCheck,
    *,
    duration_s: float | None = None,
) -> Examination:
    """The host, and one unit or all that are heard or known. Raises DeviceNotFound, UsageProblem for an unknown name."""
    address = await _resolve(bench, unit)
    host = check_host(address)
    listening = _listening(bench, address)
    await listen(bench, listening, _duration(complaint, duration_s))
    units = [address] if address is not None else _fleet(bench, listening) if unit is None else []
    if listening.problem is None and (missing := [each for each in units if listening.sighting(each) is None]):
        await listen(bench, listening, max(0.0, DARK_AFTER_S - listening.listened_s), missing)
    evidence = [_about_host(bench, complaint, _with_radio(bench, host, listening), listening)]
    if listening.problem is None:
        evidence += [await _about_unit(bench, complaint, host, listening, each) for each in units]
    return Examination(evidence)


async def _resolve(bench: Bench, unit: Address | str | None) -> Address | None:
    """None where there is no unit to look at: none was named, or the radio that would find the name is not there."""
    if unit is None:
        return None
    try:
        return await resolve(bench, unit)
    except RadioUnavailable:
        return None


def _duration(complaint: Complaint, duration_s: float | None) -> float:
    if duration_s is not None:
        return duration_s
    return LISTEN_FOR_DATA_S if complaint.names & {"undecrypted"} else LISTEN_S


def _listening(bench: Bench, address: Address | None) -> Listening:
    """The unit in question and those of the inventory count whatever they send: something else may run on them now."""
    examined = {unit.address for unit in bench.stores.inventory.units()} | {address}
    ring = key_ring(all_keys(bench.stores.vault))
    return Listening(Receiver(ring, keep=lambda sender, name: sender in examined))


def _fleet(bench: Bench, listening: Listening) -> list[Address]:
    """All thermometers that were heard, and all of the inventory."""
    addresses = {unit.address for unit in listening.receiver.units.values() if unit.address is not None}
    return sorted(addresses | {unit.address for unit in bench.stores.inventory.units()})


def _with_radio(bench: Bench, host: Host, listening: Listening) -> Host:
    runs = bench.stores.journal.runs()
    newest = max((run.finished or run.started for run in runs), default=None)
    host = replace(host, clock=clock_problem(bench.wall(), newest))
    if listening.problem is None:
        return host
    return replace(host, problem=listening.problem.reason, message=listening.problem.message)


def _about_host(bench: Bench, complaint: Complaint, host: Host, listening: Listening) -> Evidence:
    return Evidence(
        complaint=complaint,
        host=host,
        air=listening.air(None),
        runs=bench.stores.journal.runs(),
        damaged_images=_damaged(bench),
    )


async def _about_unit(
    bench: Bench, complaint: Complaint, host: Host, listening: Listening, address: Address
) -> Evidence:
    unit = bench.stores.inventory.get(address)
    access = bench.stores.vault.access(address)
    sighting = listening.sighting(address)
    answers = await contact(bench, address, sighting, history="history" in complaint.names) if sighting else None
    return Evidence(
        complaint=complaint,
        host=host,
        unit=address,
        air=listening.air(address),
        contact=answers,
        logins=await _logins(bench, sighting, answers, access.tokens),
        access=access,
        saved_config=_saved_config(bench, address),
        runs=bench.stores.journal.runs(address=address),
        known=unit,
        catalogue=bench.catalogue,
    )


async def _logins(
    bench: Bench, sighting: Sighting | None, answers: Contact | None, tokens: Sequence[LoginToken]
) -> tuple[Login, ...]:
    """V6, where a login can tell anything: stock firmware that is registered."""
    observation = answers.observation if answers is not None else None
    if sighting is None or observation is None or observation.family is not Family.STOCK or not observation.registered:
        return ()
    return await try_tokens(bench, sighting, tokens)


def _saved_config(bench: Bench, address: Address) -> bytes | None:
    """The newest configuration frame among the backups."""
    for stored in reversed(bench.stores.vault.backups(address)):
        reply = stored.backup.replies.get("55")
        if reply is not None:
            return reply.reveal()
    return None


def _damaged(bench: Bench) -> tuple[str, ...]:
    """Names of library files that are not what they were."""
    library, names = bench.stores.library, []
    for entry in library.entries():
        try:
            library.read(entry)
        except ImageCorrupt:
            names.append(entry.name)
        except MithermError:
            continue
    return tuple(names)
