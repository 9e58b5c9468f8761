"""`mitherm firmware ...`: look at images, keep them, build synthetic ones. No unit is touched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from mitherm.cli.context import App
from mitherm.cli.documents import firmware as documents
from mitherm.cli.options import Group, command
from mitherm.errors import UsageProblem
from mitherm.image.synth import EXAMPLES, SIGN_KIND
from mitherm.model.models import LYWSD03MMC
from mitherm.ops.files.firmware import (
    LibraryAddition,
    add_files,
    inspect_file,
    published_files,
    synthesise,
    verify_file,
)
from mitherm.ops.updating.paths import update_paths
from mitherm.wiring.bench import present

_PATH = click.Path(path_type=Path)
_LIBRARY = ("name", "kind", "model", "size", "catalogue", "sha256")
_PUBLISHED = ("name", "role", "family", "version", "model", "in_library", "sha256")


@click.group("firmware", cls=Group)
def firmware_command() -> None:
    """Images: the library that `flash` and `bring` take from, inspection, synthetic images for virtual units."""


@command(
    "list",
    examples="""
    mitherm firmware list
    mitherm firmware list --all --json
    """,
)
@click.option("--all", "everything", is_flag=True, help="Also the catalogue of published files.")
@click.pass_obj
def list_images(app: App, everything: bool) -> int:
    """What the library holds; with --all also which published files are known by their SHA-256."""
    images = app.images
    result = documents.library(images.library.entries(), published_files(images) if everything else None)
    return app.finish(result, lambda result: _render_list(app, result))


def _render_list(app: App, result: Mapping[str, Any]) -> None:
    if result["images"]:
        app.terminal.table(_LIBRARY, [_cells(row, _LIBRARY) for row in result["images"]], title="Library")
    else:
        app.terminal.say("The library is empty. `mitherm firmware fetch NAME` or `mitherm firmware add FILE` fills it.")
    if "catalogue" in result:
        app.terminal.table(_PUBLISHED, [_cells(row, _PUBLISHED) for row in result["catalogue"]], title="Catalogue")


def _cells(row: Mapping[str, Any], columns: Sequence[str]) -> list[object]:
    """Cells of one line; hashes by their beginning, enough for `flash`."""
    shown = {True: "yes", False: "", None: ""}
    return [str(row[name])[:12] if name == "sha256" else shown.get(row[name], row[name]) for name in columns]


@command(
    "inspect",
    examples="""
    mitherm firmware inspect ATC_v58.bin
    mitherm firmware inspect pvvx-5.8 --json      (a name in the library)
    """,
)
@click.argument("file", metavar="FILE")
@click.pass_obj
def inspect(app: App, file: str) -> int:
    """What FILE (or an image of the library) is: kind, firmware, soundness, signature, warnings. Exit 0 whatever it is."""
    result = documents.inspection(inspect_file(app.images, file))
    return app.finish(result, lambda result: _render_inspection(app, result))


def _render_inspection(app: App, result: Mapping[str, Any]) -> None:
    signed = {True: "yes, and the signature is right", False: "no", None: "there is a tail, but it proves nothing"}
    product = f"{result['product_id']:#06x}" if result["product_id"] is not None else None
    sound = {True: "sound", False: "damaged", None: None}[result["crc_ok"]]
    app.terminal.facts(
        [
            ("file", result["file"]),
            ("kind", result["kind"]),
            (
                "firmware",
                " ".join(str(part) for part in (result["family"], result["version"], result["build"]) if part),
            ),
            ("model", result["model"]),
            ("boards", ", ".join(result["hardware"])),
            ("size", f"{result['size']} bytes"),
            ("image", f"{result['length']} bytes, {sound}" if result["length"] is not None else sound),
            ("transfer", f"{result['padded_length']} bytes, {result['blocks']} blocks" if result["blocks"] else None),
            ("signed", signed[result["signed"]] if result["length"] is not None else None),
            ("product id", product),
            ("catalogue", " ".join(filter(None, (result["catalogue"], result["catalogue_name"])))),
            ("sha256", result["sha256"]),
        ]
    )
    for warning in result["warnings"]:
        app.terminal.say(f"  ! {warning}")


@command("verify", examples="mitherm firmware verify ATC_v58.bin")
@click.argument("file", metavar="FILE")
@click.pass_obj
def verify(app: App, file: str) -> int:
    """Soundness alone: boot mark, length, check sum, and the lengths of a container. Exit 2 when FILE is damaged."""
    image = verify_file(app.images, file)
    return app.finish(documents.inspection(image), lambda result: app.terminal.say(f"{image.name} is sound."))


@command(
    "add",
    examples="""
    mitherm firmware add ATC_v58.bin sign_2.1.1_0159c.bin
    """,
)
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=_PATH)
@click.pass_obj
def add(app: App, files: tuple[Path, ...]) -> int:
    """Copy images and sign files into the library, where plans find them. All of them, or none when one is damaged."""
    return _finish_added(app, add_files(app.images, files, now=present()))


def _finish_added(app: App, added: Sequence[LibraryAddition]) -> int:
    return app.finish(documents.added(added), lambda result: _render_added(app, result))


def _render_added(app: App, result: Mapping[str, Any]) -> None:
    if result.get("file"):
        app.terminal.say(f"{result['file']}: {result['size']} bytes, {result['kind']}, synthetic")
    for row in result["images"]:
        what = row["kind"] or "an image that was not recognised"
        app.terminal.say(f"{row['name']}: {what}, {'now' if row['new'] else 'already'} in the library")


@command(
    "fetch",
    examples="""
    mitherm firmware fetch ATC_v58.bin
    mitherm firmware fetch pvvx-5.8 sign-2.1.1_0159
    """,
)
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
@click.option(
    "--mirror",
    metavar="URL",
    envvar="MITHERM_FIRMWARE_MIRROR",
    help="Where to download instead: URL/repository/path or URL/name.",
)
@click.pass_obj
def fetch_images(app: App, names: tuple[str, ...], mirror: str | None) -> int:
    """Download published files of the catalogue into the library, checked by length, check sum and SHA-256.

    NAME is a name of `firmware list --all`, a SHA-256, or a KIND. What the library has already needs no network.
    Exit 2 when a download is not what the catalogue describes, 3 when nobody has it, 6 without network.
    """
    from mitherm.ops.files.fetch import fetch

    images, tell = app.images, app.terminal.tell
    return _finish_added(app, [fetch(images, name, now=present(), tell=tell, mirror=mirror) for name in names])


@command(
    "synth",
    examples="""
    mitherm firmware synth pvvx-5.8 --add
    mitherm firmware synth stock-2.1.1_0159 -o signed.bin
    """,
)
@click.argument("kind", metavar="KIND")
@click.option("-o", "--output", metavar="FILE", type=_PATH, help="Write the image to FILE.")
@click.option("--add", "adding", is_flag=True, help="Put it into the library.")
@click.option("--model", default=LYWSD03MMC, show_default=True, help="Which model the image is for.")
@click.pass_obj
def synth(app: App, kind: str, output: Path | None, adding: bool, model: str) -> int:
    """Build a synthetic image: true header and check sum around nothing, so that virtual units boot it and nothing else."""
    if output is None and not adding:
        raise UsageProblem(
            "nowhere to put the image", hint=f"-o {kind}.bin writes a file, --add puts it into the library"
        )
    result = synthesise(app.images, kind, now=present(), model=model, output=output, into_library=adding)
    return app.finish(documents.synthesised(result), lambda result: _render_added(app, result))


@command(
    "roads",
    examples="""
    mitherm firmware roads
    mitherm firmware roads --from 0159 --to pvvx
    """,
)
@click.option(
    "--from", "start", metavar="TEXT", default="", help="Only from firmware whose description has this in it."
)
@click.option("--to", "goal", metavar="TEXT", default="", help="Only to goals that begin with this.")
@click.pass_obj
def list_roads(app: App, start: str, goal: str) -> int:
    """From every firmware to every goal: the steps of `bring`, what it needs first, or why only the wire leads there."""
    fitting = [path for path in update_paths() if start in path.start and path.goal.startswith(goal)]
    return app.finish(documents.paths(fitting), lambda result: _render_roads(app, result))


def _render_roads(app: App, result: Mapping[str, Any]) -> None:
    def way(path: Mapping[str, Any]) -> str:
        if path["closed"] or path["needs"]:
            return str(path["closed"] or f"needs: {path['needs']}")
        return ", ".join(path["steps"]) or "nothing to do"

    app.terminal.table(("from", "to", "road"), [(path["from"], path["to"], way(path)) for path in result["roads"]])


synth.help = f"{synth.help}\n\nKIND: {', '.join((*EXAMPLES, SIGN_KIND))}, and other versions alike."

for _command in (list_images, inspect, verify, add, fetch_images, synth, list_roads):
    firmware_command.add_command(_command)
