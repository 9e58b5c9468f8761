"""Parts of pages that are made from the code: a line `<!-- generated: NAME -->` becomes what the function NAME returns."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from types import UnionType
from typing import Any, Final, get_args

import click

import mitherm
from mitherm import errors
from mitherm.cli.app import COMMANDS, root
from mitherm.cli.options import global_options
from mitherm.cli.schemas import schema, schema_names
from mitherm.ops.guards import RULES
from mitherm.ops.updating.paths import UpdatePath, update_paths

MARK: Final = re.compile(r"^<!-- generated: (\w+) -->$", re.MULTILINE)


def cli() -> str:
    """Every command with its arguments, options and examples."""
    group = root()
    context = click.Context(group, info_name="mitherm")
    parts = ["## Global options\n", _options(context, global_options())]
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command is not None:
            parts += _command(click.Context(command, info_name=name, parent=context), level=2)
    return "\n".join(parts)


def _command(context: click.Context, level: int) -> Iterator[str]:
    command = context.command
    yield f"{'#' * level} {context.command_path}\n"
    yield f"```text\n{' '.join([context.command_path, *command.collect_usage_pieces(context)])}\n```\n"
    yield inspect.cleandoc(command.help or "").replace("\b\n", "") + "\n"
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            if found is not None:
                yield from _command(click.Context(found, info_name=name, parent=context), level + 1)
        return
    yield _options(context, [one for one in command.params if one not in getattr(command, "_globals", ())])
    if examples := inspect.cleandoc(getattr(command, "examples", "")):
        yield f"```text\n{examples}\n```\n"


def _options(context: click.Context, params: list[Any]) -> str:
    rows = [
        record for param in params if isinstance(param, click.Option) and (record := param.get_help_record(context))
    ]
    return table(("option", "meaning"), [(f"`{names}`", text) for names, text in rows]) if rows else ""


def commands() -> str:
    """Every command in one line."""
    return table(("command", "does"), [(f"`{name}`", text) for name, (_, text) in COMMANDS.items()])


def exit_codes() -> str:
    """Which errors end with which code."""
    classes = sorted(_errors(errors.MithermError), key=lambda one: one.exit_code)
    codes = sorted({one.exit_code for one in classes})
    rows = [(str(code), ", ".join(f"`{one.__name__}`" for one in classes if one.exit_code == code)) for code in codes]
    return table(("code", "errors"), rows)


def error_classes() -> str:
    """Every error with what it means."""
    rows = [
        (f"`{one.__name__}`", str(one.exit_code), _first_line(one), one.default_hint or "")
        for one in _errors(errors.MithermError)
    ]
    return table(("error", "exit", "meaning", "what to do"), rows)


def _errors(top: type[errors.MithermError]) -> Iterator[type[errors.MithermError]]:
    yield top
    for one in top.__subclasses__():
        if one.__module__ == errors.__name__:
            yield from _errors(one)


def rules() -> str:
    """Every safety rule with its switch."""
    rows = [
        (
            rule.id,
            rule.title,
            rule.purpose,
            f"`{rule.waiver}`" if rule.waiver else "none",
            ", ".join(sorted(rule.actions)),
        )
        for rule in RULES
    ]
    return table(("rule", "says", "holds when", "waived by", "judged before"), rows)


def road_list() -> str:
    """Every start with its goals and how to come there."""
    parts: list[str] = []
    found = update_paths()
    for start in dict.fromkeys(path.start for path in found):
        rows = [(f"`{path.goal}`", _way(path)) for path in found if path.start == start]
        same = {way for _, way in rows}
        parts.append(f"## From {start}\n\n" + (table(("to", "path"), rows) if len(same) > 1 else same.pop() + "\n"))
    return "\n".join(parts)


def _way(path: UpdatePath) -> str:
    if path.closed:
        return f"**{path.closed}**"
    return f"needs: {path.needs}" if path.needs else " → ".join(path.steps) or "nothing to do"


def schemas() -> str:
    """Every shipped JSON Schema."""
    rows = [(f"`{name.replace(' ', '_')}.json`", schema(name)["title"]) for name in schema_names()]
    return table(("file", "describes"), rows)


def public_names() -> str:
    """The public names of the package."""
    rows = [(f"`mitherm.{name}`", _first_line(getattr(mitherm, name))) for name in mitherm.__all__ if name[0] != "_"]
    return table(("name", "is"), rows)


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """A Markdown table."""
    lines = [head, tuple("---" for _ in head), *(tuple(_cell(cell) for cell in row) for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _first_line(thing: object) -> str:
    if isinstance(thing, UnionType):
        return f"One of {', '.join(kind.__name__ for kind in get_args(thing))}."
    return (inspect.getdoc(thing) or "").split("\n\n")[0]


PARTS: Final[dict[str, Callable[[], str]]] = {
    one.__name__: one for one in (cli, commands, exit_codes, error_classes, rules, road_list, schemas, public_names)
}


def fill(text: str) -> str:
    """The text of a page with its generated parts. Raises KeyError for a part that does not exist."""
    return MARK.sub(lambda mark: PARTS[mark[1]](), text)


def _on_source_read(app: Any, name: str, source: list[str]) -> None:
    source[0] = fill(source[0])


def setup(app: Any) -> dict[str, bool]:
    """Sphinx calls this."""
    app.connect("source-read", _on_source_read)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
