"""YAML of other programs as plain text: every scalar stays a string, unknown tags do no harm.

As text, because YAML 1.1 would read an address or key of digits alone as a number and lose it.
"""

from __future__ import annotations

import yaml

from mitherm.errors import BadFile


class _TextLoader(yaml.SafeLoader):
    """SafeLoader without numbers, dates and booleans."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, object]]] = {}  # noqa: RUF012 - as the base class declares it


def _tagged(loader: _TextLoader, suffix: str, node: yaml.Node) -> object:
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return f"!{suffix} {node.value}"


_TextLoader.add_multi_constructor("!", _tagged)


def read_yaml(text: str) -> list[object]:
    """All documents of a text; a tagged scalar such as `!secret name` becomes that text. Raises BadFile."""
    try:
        return list(yaml.load_all(text, _TextLoader))
    except yaml.MarkedYAMLError as problem:
        mark = problem.problem_mark
        where = f" in line {mark.line + 1}" if mark else ""
        raise BadFile(
            f"this is no valid YAML{where}", hint="Tabs and wrong indentation are the usual reasons."
        ) from None
    except (yaml.YAMLError, ValueError, RecursionError):
        raise BadFile("this is no valid YAML") from None
