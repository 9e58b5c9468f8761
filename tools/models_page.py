"""Write docs/reference/models.md from the table of models: `python tools/models_page.py`."""

from __future__ import annotations

from pathlib import Path

from mitherm.model.models import MODELS, Gate, Model, Stock

DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "reference" / "models.md"
HEAD = """# Models

Which thermometers mitherm knows, and what their stock firmware allows. Written by `tools/models_page.py` from
`src/mitherm/model/models.py`; do not edit.

pvvx builds carry their device id in the image, and a running pvvx answers it (the LYWSD03MMC: an id of its board), so
boards of one name are told apart. A virtual unit is made with `mitherm virtual create DIR --unit pvvx-5.8,model=NAME`;
stock can be played for LYWSD03MMC, MHO-C401, MJWSD05MMC and MJWSD06MMC.
"""
GATES = {
    Gate.NONE: "nothing",
    Gate.WHEN_BOUND: "a login once it is bound",
    Gate.LOGIN: "a login",
    None: "no update over the air; use the wire",
}
ACTIVATION = {1: "yes", 2: "no: keys come from the account", None: "not known"}


def page() -> str:
    """The whole document."""
    known = [model for model in MODELS if model.device_id is not None]
    builds = [_row(model) for model in known]
    rules = [_rules(model, group) for model in MODELS for group in model.stock]
    others = ", ".join(model.label for model in MODELS if model.device_id is None)
    return "\n".join(
        (
            HEAD,
            "## Boards with a pvvx build\n",
            "| Model | Other name | Device id | Name on the air | Mi product ids | Sensor | Display |",
            "|---|---|---|---|---|---|---|",
            *builds,
            "\n## Stock firmware\n",
            "| Model | Versions | An update wants | Patience, s | Largest image | Activation without the cloud |",
            "|---|---|---|---|---|---|",
            *rules,
            f"\nOnly recognised, nothing is offered for them: {others}.\n",
        )
    )


def _row(model: Model) -> str:
    products = ", ".join(f"{number:#06x}" for number in model.products)
    cells = (
        model.label,
        model.alias or "",
        str(model.device_id),
        f"{model.prefix}XXXXXX",
        products,
        " or ".join(model.sensors),
        "" if model.display == "unknown" else str(model.display),
    )
    return _line(cells)


def _rules(model: Model, group: Stock) -> str:
    limit = f"{group.limit_s:g}" + (f", {group.locked_limit_s:g} before the login" if group.locked_limit_s else "")
    signed = ", and a signed image" if group.refuses_unsigned else ""
    cells = (
        model.label,
        ", ".join(group.versions),
        GATES[group.gate] + signed,
        limit if group.supports_ota else "",
        str(group.bank_size) if group.supports_ota else "",
        ACTIVATION[group.generation],
    )
    return _line(cells)


def _line(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(cells)} |".replace("|  |", "| |").replace("|  |", "| |")


if __name__ == "__main__":
    DOCUMENT.parent.mkdir(parents=True, exist_ok=True)
    DOCUMENT.write_text(page())
