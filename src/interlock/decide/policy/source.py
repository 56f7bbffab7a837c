"""Texts become Cedar statements and YAML entries that know their lines; nothing is guessed, nothing skipped.

Whatever is not understood raises ``PolicyFileError``: a comma too many or a misspelt word must never switch a
rule off.  YAML is read without anchors, aliases, floats, dates, nulls or a key that stands twice.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import NoReturn, TypeAlias, cast

import msgspec
import yaml

from interlock.artifact.codec import hidden
from interlock.artifact.errors import ConfigurationError
from interlock.decide.policy.schema import MAX_NESTING, MAX_STATEMENT, MAX_TEXT

Plain: TypeAlias = "str | int | bool | list[Plain] | dict[str, Plain]"
Entry: TypeAlias = "tuple[dict[str, Plain], Mapping[str, int]]"
_YAML_DEPTH = 8
_PIECE = re.compile(r'"(?:[^"\\]|\\.)*"|//[^\n]*|[;()\[\]{}]|[^"/;()\[\]{}]+|.', re.DOTALL)
_BLANK = re.compile(r"(?:\s++|//[^\n]*+)*+")
_SURROGATE = re.compile("[\ud800-\udfff]")
_TAG = "tag:yaml.org,2002:"
_BOOLS = {"true": True, "false": False}


class PolicyFileError(ConfigurationError):
    """A policy file that cannot be used as it stands: ``file``, ``line`` (from 1) and what to do next."""

    def __init__(self, code: str, file: str, line: int, message: str, *, hint: str) -> None:
        self.file = file
        self.line = line
        super().__init__(code, f"{file}:{line}: {message}", hint=hint)


class Statement(msgspec.Struct, frozen=True, kw_only=True):
    """The Cedar text of one policy and where its author wrote it."""

    file: str
    line: int
    text: str


def cedar_statements(file: str, text: str) -> Iterator[Statement]:
    """The policies of a Cedar file; raises ``PolicyFileError`` for what is too long or too deep to parse."""
    start = position = depth = 0
    for piece in _PIECE.findall(_bounded(file, text)):
        position += len(piece)
        depth += (piece in "([{") - (piece in ")]}")
        if depth > MAX_NESTING or position - start > MAX_STATEMENT:
            hint = "write it as several shorter policies"
            line = _statement(file, text, start, position).line
            raise PolicyFileError("policy.size", file, line, "a policy too long or too deeply nested", hint=hint)
        if piece == ";":
            yield _statement(file, text, start, position)
            start, depth = position, 0
    rest = _statement(file, text, start, len(text))
    if rest.text:
        yield rest  # Without its semicolon, which Cedar's parser then says.


def yaml_items(file: str, text: str, key: str) -> list[Entry]:
    """The entries of the one list ``key`` of a YAML document, each with the lines of its keys (``""``: its own)."""
    return [_entry(file, node) for node in _nodes(file, text, key)]


def yaml_table(file: str, text: str, key: str) -> list[Entry]:
    """As ``yaml_items``, where an entry may be a row of cells; a row that begins with ``name`` names the columns of
    those after it, and an empty text is a cell that says nothing."""
    columns: list[Plain] = []
    found: list[Entry] = []
    for node in _nodes(file, text, key):
        if not isinstance(node, yaml.SequenceNode):
            found.append(_entry(file, node))
            continue
        line, cells = node.start_mark.line, [_plain(file, cell) for cell in node.value]
        if cells[:1] == ["name"]:
            columns = cells
            if len({str(cell) for cell in cells}) != len(cells):
                _refuse(file, line, "two columns of one name")
        elif len(cells) != len(columns):
            _refuse(file, line, f"a row of {len(cells)} cells below {len(columns)} columns")
        else:
            row = {str(name): cell for name, cell in zip(columns, cells, strict=True) if cell != ""}
            found.append((row, {"": line + 1}))
    return found


def _nodes(file: str, text: str, key: str) -> list[yaml.Node]:
    try:
        root = BoundedLoader(_bounded(file, text)).get_single_node()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        _refuse(file, mark.line if mark else 0, error.problem or "not YAML")
    if not isinstance(root, yaml.MappingNode) or [name.value for name, _ in root.value] != [key]:
        _refuse(file, 0, f"the file is not one list under the single key {key!r}")
    entries: yaml.Node = root.value[0][1]
    if not isinstance(entries, yaml.SequenceNode) or not entries.value:
        _refuse(file, entries.start_mark.line, f"{key!r} holds no list, or an empty one")
    found: list[yaml.Node] = entries.value
    return found


class BoundedLoader(yaml.SafeLoader):
    """Composes nodes, which know their lines, without anchors and only so deep."""

    deepest = _YAML_DEPTH
    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event = cast("yaml.Event", self.peek_event())  # type: ignore[no-untyped-call]
        self.depth += 1
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) or self.depth > self.deepest:
            problem = "an anchor, an alias or too deep a nesting"
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=cast("yaml.Mark", event.start_mark))
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


def _entry(file: str, node: yaml.Node) -> Entry:
    line = node.start_mark.line
    if not isinstance(node, yaml.MappingNode):
        _refuse(file, line, "an entry that is no mapping of keys to values")
    lines = {str(key.value): key.start_mark.line + 1 for key, _ in node.value}
    return cast("dict[str, Plain]", _plain(file, node)), {**lines, "": line + 1}


def _plain(file: str, node: yaml.Node) -> Plain:
    line, text, kind = node.start_mark.line, str(node.value), node.tag.removeprefix(_TAG)
    if isinstance(node, yaml.MappingNode) and kind == "map":
        keys = [key.value for key, _ in node.value if key.tag == f"{_TAG}str"]
        if len(set(keys)) != len(node.value):
            _refuse(file, line, "a key that stands twice, or is no plain text, in the mapping that begins here")
        return {key.value: _plain(file, value) for key, value in node.value}
    if isinstance(node, yaml.SequenceNode) and kind == "seq":
        return [_plain(file, item) for item in node.value]
    if kind == "str":
        return text
    if kind == "int" and re.fullmatch(r"0|-?[1-9][0-9]{0,15}", text):
        return int(text)
    if kind == "bool" and text in _BOOLS:
        return _BOOLS[text]
    return _refuse(file, line, f"{text[:64]!r} is read as {kind}: put text in quotes")


def _bounded(file: str, text: str) -> str:
    if len(text) > MAX_TEXT:
        raise PolicyFileError("policy.size", file, 1, f"more than {MAX_TEXT} characters", hint="split the file")
    for number, line in enumerate(text.split("\n"), 1):
        if hidden(line.removesuffix("\r")) or _SURROGATE.search(line):
            hint = "retype the line in plain characters"
            raise PolicyFileError("policy.hidden", file, number, "a character that cannot be seen", hint=hint)
    return text


def _statement(file: str, text: str, start: int, end: int) -> Statement:
    """The statement after blanks and comments, with the line where it begins."""
    found = _BLANK.match(text, start)
    begin = found.end() if found else start
    return Statement(file=file, line=text.count("\n", 0, begin) + 1, text=text[begin:end])


def _refuse(file: str, line: int, message: str) -> NoReturn:
    hint = "put text in quotes where it begins with *; docs/policy.md has examples"
    raise PolicyFileError("policy.yaml", file, line + 1, message, hint=hint)
