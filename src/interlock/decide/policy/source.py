"""Texts become lists of Cedar statements, each with its file and line; nothing is guessed and nothing is skipped.

Whatever is not understood raises ``PolicyFileError``: a comma too many or a misspelt word must never switch a
rule off.  YAML is read without anchors, aliases, tags, floats, dates, nulls or a key that stands twice.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import NoReturn, TypeAlias

import msgspec
import yaml

from interlock.artifact.codec import hidden
from interlock.artifact.errors import ConfigurationError
from interlock.decide.policy.schema import MAX_NESTING, MAX_STATEMENT, MAX_TEXT

Plain: TypeAlias = "str | int | bool | list[Plain] | dict[str, Plain]"
_YAML_DEPTH = 8
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|//[^\n]*|[;()\[\]{}]|[^"/;()\[\]{}]+|.', re.DOTALL)
_BLANK = re.compile(r"(?:\s++|//[^\n]*+)*+")
_WORDS = {"true": True, "false": False}


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


def bounded(file: str, text: str) -> str:
    """The text, which is neither too long nor holds what a reader does not see; raises ``PolicyFileError``."""
    if len(text) > MAX_TEXT:
        hint = "split it into several files"
        raise PolicyFileError("policy.size", file, 1, f"more than {MAX_TEXT} characters", hint=hint)
    for number, line in enumerate(text.split("\n"), 1):
        if hidden(line.removesuffix("\r")):
            hint = "retype the line in plain characters"
            raise PolicyFileError("policy.hidden", file, number, "a character that cannot be seen", hint=hint)
    return text


def cedar_statements(file: str, text: str) -> Iterator[Statement]:
    """The policies of a Cedar file; raises ``PolicyFileError`` for what is too long or too deep to parse."""
    start = position = depth = 0
    for piece in _TOKEN.findall(bounded(file, text)):
        position += len(piece)
        depth += (piece in "([{") - (piece in ")]}")
        if depth > MAX_NESTING or position - start > MAX_STATEMENT:
            _, line = _begin(text, start)
            hint = "write it as several shorter policies"
            raise PolicyFileError("policy.size", file, line, "a policy too long or too deeply nested", hint=hint)
        if piece == ";":
            yield _statement(file, text, start, position)
            start, depth = position, 0
    if _begin(text, start)[0] < len(text):
        yield _statement(file, text, start, len(text))


class _Loader(yaml.SafeLoader):
    """Composes nodes, which know their lines, without anchors and only so deep."""

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event: object = self.peek_event()  # type: ignore[no-untyped-call]
        self.depth += 1
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) or self.depth > _YAML_DEPTH:
            problem = "an anchor, an alias or too deep a nesting"
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=self.get_mark())
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


def yaml_items(file: str, text: str, key: str) -> list[tuple[dict[str, Plain], Mapping[str, int]]]:
    """The entries of the one list ``key`` of a YAML document, each with the lines of its keys (``""``: its own)."""
    loader = _Loader(bounded(file, text))
    try:
        document = loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        _refuse(file, mark.line + 1 if mark else 1, error.problem or "not YAML")
    except yaml.YAMLError as error:
        _refuse(file, 1, f"not YAML: {str(error)[:120]}")
    finally:
        loader.dispose()
    if not isinstance(document, yaml.MappingNode) or [name.value for name, _ in document.value] != [key]:
        _refuse(file, 1, f"the file is not one list under the single key {key!r}")
    entries: yaml.Node = document.value[0][1]
    if not isinstance(entries, yaml.SequenceNode) or not entries.value:
        _refuse(file, entries.start_mark.line + 1, f"{key!r} holds no list, or an empty one")
    return [_entry(file, entry) for entry in entries.value]


def _entry(file: str, node: yaml.Node) -> tuple[dict[str, Plain], dict[str, int]]:
    if not isinstance(node, yaml.MappingNode):
        _refuse(file, node.start_mark.line + 1, "an entry that is no mapping of keys to values")
    lines = {str(key.value): key.start_mark.line + 1 for key, _ in node.value}
    value = _plain(file, node)
    assert isinstance(value, dict)  # noqa: S101 - narrows for the type checker
    return value, {"": node.start_mark.line + 1, **lines}


def _plain(file: str, node: yaml.Node) -> Plain:
    match node:
        case yaml.MappingNode():
            found: dict[str, Plain] = {}
            for key, value in node.value:
                if key.tag != "tag:yaml.org,2002:str" or key.value in found:
                    _refuse(file, key.start_mark.line + 1, f"the key {str(key.value)[:64]!r} twice, or no plain text")
                found[key.value] = _plain(file, value)
            return found
        case yaml.SequenceNode():
            return [_plain(file, item) for item in node.value]
        case _:
            return _scalar(file, node)


def _scalar(file: str, node: yaml.Node) -> str | int | bool:
    text, kind = str(node.value), node.tag.rpartition(":")[2]
    if kind == "str":
        return text
    if kind == "int" and re.fullmatch(r"0|-?[1-9][0-9]{0,15}", text):
        return int(text)
    if kind == "bool" and text in _WORDS:
        return _WORDS[text]
    return _refuse(file, node.start_mark.line + 1, f"{text[:64]!r} is read as {kind}", "put text in quotes")


def _refuse(file: str, line: int, message: str, hint: str = "see the examples in docs/policy.md") -> NoReturn:
    raise PolicyFileError("policy.yaml", file, line, message, hint=hint)


def _begin(text: str, start: int) -> tuple[int, int]:
    """Where a statement's own text begins after blanks and comments, and on which line."""
    found = _BLANK.match(text, start)
    begin = found.end() if found else start
    return begin, text.count("\n", 0, begin) + 1


def _statement(file: str, text: str, start: int, end: int) -> Statement:
    begin, line = _begin(text, start)
    return Statement(file=file, line=line, text=text[begin:end])
