"""What `flash` and `bring` share: do it, and say what became of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from mitherm.cli.context import App
from mitherm.cli.documents.updates import update
from mitherm.cli.unit import on_bench
from mitherm.model.operation import Outcome
from mitherm.ops.bench import Bench
from mitherm.ops.next_step import after_update
from mitherm.ops.updating.execute import UpdateResult
from mitherm.wiring.bench import open_stores


def carry_out(app: App, waivers: frozenset[str], act: Callable[[Bench], Awaitable[UpdateResult]]) -> int:
    """Run `act` on the radio in force; with --dry-run it rehearses on a twin of the unit."""
    result = on_bench(app, act, waivers)

    def render(shown: Mapping[str, Any]) -> None:
        _render(app, shown)
        if result.outcome is not Outcome.DRY_RUN:
            access = open_stores().vault.access(result.after.address)
            app.terminal.suggest(after_update(result.after, access, result.plan.goal))

    return app.finish(update(result), render)


def _render(app: App, result: Mapping[str, Any]) -> None:
    """The outcome in a few lines."""
    after = result["after"]
    runs = " ".join(str(part) for part in (after["firmware"]["family"], after["firmware"]["version"]) if part)
    match result["outcome"]:
        case Outcome.NOTHING_TO_DO:
            app.terminal.say(f"Nothing to do: {after['address']} runs {runs}.")
            for note in result["notes"]:
                app.terminal.say(f"  {note}")
        case Outcome.DRY_RUN:
            _render_rehearsal(app, result["rehearsal"])
        case _:
            app.terminal.say(f"{after['address']} runs {runs}, seen and verified after {result['seconds']:.0f} s.")


def _render_rehearsal(app: App, rehearsal: Mapping[str, Any]) -> None:
    final = rehearsal["final"]
    app.terminal.say("Dry run: nothing was written to the unit. On its virtual twin the same work")
    app.terminal.facts(
        [
            ("ended", rehearsal["outcome"]),
            ("took about", f"{rehearsal['seconds']:.0f} s, {rehearsal['writes']} writes, {rehearsal['reads']} reads"),
            ("final state", f"{final['runs']}, display {final['display']}, bound: {'yes' if final['bound'] else 'no'}"),
            ("DID", final["did"] or "none"),
        ]
    )
