"""Failures of activation and login, rows 9 to 18 of the decision table, one cause each (mi-auth.md 9.3).

The order of the functions is their rank, after the rows in rules_mi_home: an activation, then keys, then the login.
"""

from __future__ import annotations

from typing import Final

from mitherm.errors import MiAuthRefused
from mitherm.ops.doctor.evidence import Evidence
from mitherm.ops.doctor.finding import NEXT, Proof, because, cause
from mitherm.ops.doctor.rules_mi_home import erased_keys, holds_keys, mute, signal
from mitherm.ops.next_step import NextStep

FETCH: Final = NextStep.KEYS_NEEDED.command("")
_FROM_ACCOUNT: Final = (
    "No tool can activate this firmware. Add the unit in Mi Home, fetch token and bind key from your account, log in."
)


@cause(
    "mi-home-29/18",
    title="Activation disconnects: custom firmware needs none",
    remedy="Flash directly, no activation and no keys are needed.",
    command="mitherm flash {unit} IMAGE",
    symptoms=("activating",),
    also=("F1",),
)
def activation_needless(evidence: Evidence) -> Proof | None:
    if evidence.custom is None or not evidence.says("activating"):
        return None
    return because(f"{evidence.custom.label} runs: it has nothing to activate")


@cause(
    "mi-home-29/10",
    title="Activation never ends, a token is shown: 2.1.1_0159 did not store it",
    remedy=_FROM_ACCOUNT,
    command=NEXT,
    symptoms=("activating",),
    also=("F1",),
)
def activation_hangs(evidence: Evidence) -> Proof | None:
    unit = evidence.generation_2
    if unit is None or unit.did is None or not evidence.says("activating"):
        return None
    return because(f"{unit.label} runs, authentication generation 2", f"its DID is {unit.did}")


@cause(
    "mi-home-29/11",
    title="Activation never ends, no token is shown: 2.1.1_0159 without a DID",
    remedy=_FROM_ACCOUNT,
    command=NEXT,
    symptoms=("activating",),
    also=("F1",),
)
def activation_refused(evidence: Evidence) -> Proof | None:
    unit = evidence.generation_2
    if unit is None or unit.did is not None or not evidence.says("activating"):
        return None
    return because(f"{unit.label} runs, authentication generation 2", "it has no DID: flashers stop there")


@cause(
    "mi-home-29/12",
    title="Activation never ends on stock 1.x: the page lost a frame",
    remedy="Try again; mitherm sends lost frames again.",
    command=NEXT,
    symptoms=("activating",),
    also=("F1",),
)
def lost_frame(evidence: Evidence) -> Proof | None:
    if evidence.stock is None or evidence.generation_2 is not None or not evidence.says("activating"):
        return None
    return because(f"{evidence.stock.label} can be activated without the cloud", holds_keys(evidence), signal(evidence))


@cause(
    "mi-home-29/13",
    title="Registration failed: the DID the page sent is not the unit's",
    remedy="Read the DID anew and send it back unchanged, which mitherm does; repeat.",
    command=NEXT,
    symptoms=("registration-failed",),
)
def registration_failed(evidence: Evidence) -> Proof | None:
    stock = evidence.stock
    if stock is None or evidence.generation_2 is not None or stock.registered:
        return None
    last = next((run for run in reversed(evidence.runs) if run.operation == "activate"), None)
    refused = last is not None and last.error == MiAuthRefused.__name__
    if not (refused or evidence.says("registration-failed")):
        return None
    return because(
        f"the unit is not registered; its DID is {stock.did or 'not set'}",
        "the journal's last activation was refused by the unit" if refused else None,
    )


@cause(
    "mi-home-29/14",
    title="Login refused with E0: the unit was reset, its binding is gone",
    remedy="Add the unit again (Mi Home; or activate stock 1.x) and fetch its keys anew.",
    command=NEXT,
    symptoms=("not-registered",),
)
def lost_binding(evidence: Evidence) -> Proof | None:
    if (
        evidence.stock is None
        or evidence.stock.registered is not False
        or not evidence.access.tokens
        or _erased_by_us(evidence)
    ):
        return None
    return because(
        "the unit answers E0: it holds no keys",
        f"the vault has {len(evidence.access.tokens)} token(s) of it",
        f"its DID {evidence.stock.did} is still there, as after the reset pad" if evidence.stock.did else None,
    )


@cause(
    "mi-home-29/9",
    title="Bound in the app, but no data: a tool activated the unit after Mi Home did",
    remedy="Use the tool's bind key everywhere, or delete the unit in the app and add it again.",
    command=FETCH,
    symptoms=("undecrypted",),
    also=("F2",),
)
def activated_by_tool(evidence: Evidence) -> Proof | None:
    if evidence.stock is None:
        return None
    refuted = [login for login in evidence.logins if login.from_account and login.answer != "right"]
    stale = [login for login in refuted if login.token.generation.may_be_held]
    proven = [login for login in evidence.logins if not login.from_account and login.answer == "right"]
    if stale and proven:
        return because(
            f"the account's token {stale[-1].token.generation.keys.fingerprint} does not open the unit",
            f"the token {proven[0].token.generation.keys.fingerprint} of a later {proven[0].token.generation.origin} does",
            command="mitherm keys export --for ha {unit}",
        )
    if refuted and evidence.says("undecrypted") and "right" not in evidence.answers:
        return because("the unit is registered, but the account's token does not open it")
    return None


@cause(
    "mi-home-29/15",
    title="Login: device infos are not correct: the token is stale or foreign",
    remedy="Fetch the keys anew after the last time the unit was added. A token has 24 hex digits, a bind key 32.",
    command=FETCH,
    symptoms=("login-refused",),
    also=("F2",),
)
def stale_token(evidence: Evidence) -> Proof | None:
    if (
        evidence.stock is None
        or not evidence.stock.registered
        or not evidence.says("login-refused")
        or "right" in evidence.answers
    ):
        return None
    return because(
        "the unit is registered",
        f"none of the vault's {len(evidence.logins)} token(s) opens it"
        if evidence.logins
        else "the vault has no token of it",
    )


@cause(
    "mi-home-29/16",
    title="Login gets no answer: an earlier procedure is still inside its 30 s",
    remedy="Disconnect, wait half a minute, connect again; mitherm connects anew by itself.",
    command=NEXT,
    symptoms=("login-silent",),
)
def silent_login(evidence: Evidence) -> Proof | None:
    if evidence.stock is None:
        return None
    silent = mute(evidence) or (bool(evidence.logins) and evidence.answers == {"silent"})
    if not (silent or evidence.says("login-silent")):
        return None
    return because(
        f"{evidence.stock.label} answers reads",
        "its authentication does not answer" if silent else "its authentication answers again on a new connection",
    )


@cause(
    "mi-home-29/17",
    title="The link ends with 0x13 when an update starts: nobody logged in",
    remedy="Log in first; mitherm does so on the same connection.",
    command="mitherm flash {unit} IMAGE",
    symptoms=("ota-disconnect",),
)
def not_logged_in(evidence: Evidence) -> Proof | None:
    if evidence.stock is None or not evidence.says("ota-disconnect"):
        return None
    return because(f"{evidence.stock.label} ends the link with 0x13 when an update starts without a login")


def _erased_by_us(evidence: Evidence) -> bool:
    """Whether the keys are gone because the user had them erased here."""
    newest = max(
        (generation.confirmed or generation.created for generation in evidence.access.generations), default=None
    )
    return any(
        newest is not None and (run.finished or run.started) > newest and erased_keys(run) for run in evidence.runs
    )
