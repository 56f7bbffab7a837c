"""Expansion of the grammar's words (bash(1), EXPANSION), as far as they are static.

What is not known becomes a mark in the text (``words``), never a guess.  Substitutions are run by the walker, because
they are commands; their output comes back as ``Data``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Protocol

from tree_sitter import Node

from interlock.analyst.shell.grammar import reveal, substitutions, text_of
from interlock.analyst.shell.parameters import MAX_PATTERN_TEXT, number, operate, portion, substitute, unescape
from interlock.analyst.shell.state import State
from interlock.analyst.shell.words import (
    CHARACTERS,
    EMPTY,
    MAX_TEXT,
    MAX_WORDS,
    NONE,
    SPLIT,
    UNKNOWN,
    UNKNOWN_FIELDS,
    Data,
    Word,
    fields,
    plain,
    quote,
    splitting,
    splitting_at,
    unknown,
)

_DOUBLE = re.compile(r'\\([$"\\`\n])')
_HEREDOC = re.compile(r"\\([$\\`\n])")
_BARE = re.compile(r"\\(.)", re.DOTALL)
# fmt: off
_RAW = frozenset((
    "word", "number", "variable_name", "special_variable_name", "test_operator", "brace_expression", "regex",
    "extglob_pattern", "file_descriptor", "command_name", "heredoc_content", "string_content", "{", "}", "[", "]",
))
# fmt: on
_PARAMETER = re.compile(
    r"\$\{(?P<sign>[!#]?)(?P<name>[A-Za-z_]\w*|\d+|[@*#?$!_-])(?:\[(?P<index>[^]]*)\])?(?P<rest>.*)\}\Z", re.DOTALL
)
_OPERATION = re.compile(r":?[-=+?]|##?|%%?|//|/#|/%|/|\^\^?|,,?|@|:", re.DOTALL)
_ENVIRONMENT = frozenset(("environment",))


class Host(Protocol):
    """What an expansion asks of the walker."""

    state: State

    def spend(self, count: int = 1) -> None:
        """Count work; raises where there is too much."""
        ...

    def note(self, code: str) -> None:
        """Something that cannot be seen into."""
        ...

    def output(self, node: Node) -> Data:
        """Run a command substitution."""
        ...

    def piped(self, node: Node) -> Data:
        """Run a process substitution; what reads from it gets this."""
        ...

    def parse_word(self, text: str) -> Node | None:
        """The node of a word that the grammar left as raw text, read as in double quotes."""
        ...


class Expander:
    """Expands words against the walker's state."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._kinds: dict[str, Callable[[Node, bool, set[str]], str]] = {
            "string": self._string,
            "concatenation": self._concatenation,
            "simple_expansion": self._simple,
            "expansion": self._expansion,
            "command_substitution": self._command,
            "process_substitution": self._process,
            "arithmetic_expansion": self._arithmetic,
            "heredoc_body": self._heredoc,
            "translated_string": self._concatenation,
            "command_name": self._concatenation,
        }

    def words(self, node: Node) -> list[Word]:
        """The words that the node becomes, split and with braces and tildes expanded."""
        self._host.spend()
        if node.type == "word":
            text = text_of(node)
            if text.isalnum():
                return [Word(text)]
        tags: set[str] = set()
        marked = self._marked(node, False, tags)
        found = fields(marked, frozenset(tags), self._host.state.home)
        self._host.spend(len(found))
        return found[:MAX_WORDS]

    def data(self, node: Node) -> Data:
        """The one text that the node becomes where nothing is split (assignments, redirections, here-documents)."""
        tags: set[str] = set()
        marked = self._marked(node, False, tags)
        home = self._host.state.home
        if home and (marked == "~" or marked.startswith("~/")):
            marked = home + marked[1:]
        return Data(plain(marked)[:MAX_TEXT], frozenset(tags))

    def literal(self, node: Node) -> Data:
        """As ``data`` for the body of a here-document or a string."""
        tags: set[str] = set()
        return Data(plain(self._marked(node, True, tags))[:MAX_TEXT], frozenset(tags))

    def _marked(self, node: Node, quoted: bool, tags: set[str]) -> str:
        self._host.spend()
        kind = node.type
        handler = self._kinds.get(kind)
        if handler is not None:
            return handler(node, quoted, tags)
        text = text_of(node)
        if kind == "raw_string":
            return quote(text[1:-1])
        if kind == "ansi_c_string":
            return quote(unescape(text[2:-1]))
        if kind in _RAW or not node.is_named:
            return self._bare(text, quoted, tags)
        self._host.note("shell.syntax")
        return UNKNOWN

    def _bare(self, text: str, quoted: bool, tags: set[str]) -> str:
        if "$" in text[:-1] or "`" in text:
            return self._reparsed(text, quoted, tags)
        if quoted:
            return quote(_DOUBLE.sub(_kept, text))
        return _BARE.sub(lambda found: "" if found.group(1) == "\n" else quote(found.group(1)), text)

    def _reparsed(self, text: str, quoted: bool, tags: set[str]) -> str:
        node = self._host.parse_word(text)
        if node is None:
            self._host.note("shell.syntax")
            return UNKNOWN if quoted else UNKNOWN_FIELDS
        return self._marked(node, True, tags)

    def _string(self, node: Node, _quoted: bool, tags: set[str]) -> str:
        return self._parts(node, tags, _DOUBLE) or EMPTY

    def _heredoc(self, node: Node, _quoted: bool, tags: set[str]) -> str:
        return self._parts(node, tags, _HEREDOC)

    def _parts(self, node: Node, tags: set[str], escapes: re.Pattern[str]) -> str:
        """Literal text lies between the children as well as in them; only expansions are of interest."""
        whole, base = node.text or b"", node.start_byte
        position, found = 0, list[str]()
        ends = 0
        if node.type == "string":
            position, ends = 1, 1
        for child in node.named_children:
            if child.type in ("string_content", "heredoc_content", "ERROR"):
                continue
            found.append(_quoted_text(whole[position : child.start_byte - base], escapes))
            found.append(self._marked(child, True, tags))
            position = child.end_byte - base
        found.append(_quoted_text(whole[position : len(whole) - ends], escapes))
        return "".join(found)

    def _concatenation(self, node: Node, quoted: bool, tags: set[str]) -> str:
        found: list[str] = []
        children = node.children
        end = node.start_byte
        whole, base = node.text or b"", node.start_byte
        for index, child in enumerate(children):
            if child.start_byte > end:
                found.append(self._gap(whole[end - base : child.start_byte - base]))
            end = child.end_byte
            if child.type == "$" and index + 1 < len(children) and children[index + 1].type == "string":
                continue
            found.append(self._marked(child, quoted, tags))
        return "".join(found)

    def _gap(self, between: bytes) -> str:
        text = between.replace(b"\\\n", b"")
        if text:
            self._host.note("shell.syntax")
            return UNKNOWN_FIELDS
        return ""

    def _give(self, value: Data, quoted: bool, tags: set[str]) -> str:
        tags.update(value.tags)
        text = value.text[:MAX_TEXT]
        self._host.spend(len(text) // CHARACTERS)
        if quoted:
            return quote(text)
        separators = self._host.state.variables.get("IFS")
        if separators is None:
            return splitting(text)
        if not separators.known:
            return UNKNOWN_FIELDS
        return splitting_at(text, separators.text)

    def _simple(self, node: Node, quoted: bool, tags: set[str]) -> str:
        name = text_of(node)[1:]
        if name in ("@", "*"):
            return self._several(self._host.state.parameters, quoted, tags)
        return self._give(self.value(name), quoted, tags)

    def value(self, name: str) -> Data:
        """What the variable holds; the environment's where nothing was assigned."""
        found = self._host.state.value(name)
        return unknown(_ENVIRONMENT) if found is None else found

    def _several(self, items: tuple[Data, ...] | None, quoted: bool, tags: set[str]) -> str:
        if items is None:
            return UNKNOWN_FIELDS
        for one in items:
            tags.update(one.tags)
        return SPLIT.join(quote(one.text) if quoted else splitting(one.text) for one in items)

    def _command(self, node: Node, quoted: bool, tags: set[str]) -> str:
        found = self._host.output(node)
        return self._give(Data(found.text.rstrip("\n"), found.tags), quoted, tags)

    def _process(self, node: Node, _quoted: bool, tags: set[str]) -> str:
        found = self._host.piped(node)
        tags.update(found.tags)
        descriptors = self._host.state.descriptors
        path = f"/dev/fd/{len(descriptors) + 60}"
        descriptors[path] = found
        return path

    def _arithmetic(self, node: Node, _quoted: bool, tags: set[str]) -> str:
        text = text_of(node)
        inner = text[3:-2] if text.startswith("$((") else text[2:-1]
        for found in substitutions(node):
            tags.update(self._host.output(found).tags)
        inner = re.sub(r"\$?\{?\b([A-Za-z_]\w*)\b\}?", lambda name: self.value(name.group(1)).text, inner)
        if "$(" in inner and not any(True for _ in substitutions(node)):
            self._host.note("shell.dynamic_code")  # A value that is evaluated once more.
        result = number(inner)
        return UNKNOWN if result is None else str(result)

    def _expansion(self, node: Node, quoted: bool, tags: set[str]) -> str:
        match = _PARAMETER.match(text_of(node))
        if match is None:
            self._host.note("shell.syntax")
            return UNKNOWN if quoted else UNKNOWN_FIELDS
        sign, name, index, rest = match.group("sign", "name", "index", "rest")
        if sign == "!" or (sign == "#" and not rest) or (index is not None and ("$" in index or "`" in index)):
            for found in substitutions(node):
                tags.update(self._host.output(found).tags)
        if index in ("@", "*") or (name in ("@", "*") and not rest):
            return self._all(sign, name, rest, quoted, tags)
        if sign == "!":
            pointed = self._host.state.value(name)
            known = pointed is not None and pointed.known and pointed.text.isidentifier() and not rest
            return self._give(self.value(pointed.text) if known and pointed else unknown(), quoted, tags)
        value = self._element(name, index)
        if sign == "#":
            return self._give(Data(str(len(value.text))) if value.known else unknown(), quoted, tags)
        return self._give(self._operated(node, name, value, rest, tags), quoted, tags)

    def _element(self, name: str, index: str | None) -> Data:
        items = self._host.state.arrays.get(name)
        if index is None or items is None:
            return self.value(name) if index is None or index == "0" else unknown()
        position = number(index)
        if position is None:
            return unknown(NONE.union(*(one.tags for one in items)))
        return items[position] if -len(items) <= position < len(items) else Data()

    def _all(self, sign: str, name: str, rest: str, quoted: bool, tags: set[str]) -> str:
        state = self._host.state
        items = state.parameters if name in ("@", "*") else state.arrays.get(name)
        if sign == "#":
            return str(len(items)) if items is not None else UNKNOWN
        if items is None and name in state.variables:
            items = (state.variables[name],)
        if items is None or rest or sign:
            tags.update(tag for one in items or () for tag in one.tags)
            return UNKNOWN_FIELDS
        return self._several(items, quoted, tags)

    def _operated(self, node: Node, name: str, value: Data, rest: str, tags: set[str]) -> Data:
        operation = _OPERATION.match(rest)
        if not rest or operation is None:
            return value
        sign = operation.group()
        self._host.spend(16 + min(len(value.text), MAX_PATTERN_TEXT))
        if sign in ("/", "//", "/#", "/%"):
            pattern, _, replacement = rest[len(sign) :].partition("/")
            return substitute(value, sign, self._word(node, pattern, tags), self._word(node, replacement, tags))
        if sign == ":":
            offset, colon, length = rest[1:].partition(":")
            return portion(value, self._word(node, offset, tags), self._word(node, length, tags) if colon else None)
        if rest.startswith("@P"):  # Expanded as a prompt is.
            self._host.note("shell.dynamic_code")
        argument = self._word(node, rest[len(sign) :], tags)
        if sign[-1] in "-=+?":
            return self._default(name, value, sign[-1], argument, has_colon=len(sign) == 2)
        return operate(value, sign, argument)

    def _default(self, name: str, value: Data, sign: str, argument: str, *, has_colon: bool) -> Data:
        """``- = + ?``: a variable that the text never set may come from the environment."""
        known = self._host.state.value(name) is not None and value.known
        empty = known and not value.text and has_colon
        if not known:
            tags = value.tags
            result = unknown(tags)
        elif sign == "+":
            result = Data() if empty else Data(argument)
        else:
            result = Data(argument) if empty else value
        if sign == "=" and name.isidentifier():
            self._host.state.variables[name] = result
        return result

    def _word(self, node: Node, text: str, tags: set[str]) -> str:
        """An operand inside braces, expanded; what stands in quotes there loses them."""
        if "$" not in text and "`" not in text:
            return _BARE.sub(r"\1", text.replace('"', "").replace("'", "")) if text else ""
        if "'" not in text and '"' not in text and "\\" not in text:
            parsed = self._host.parse_word(text)
            return UNKNOWN if parsed is None else plain(self._marked(parsed, True, tags))
        runs = substitutions(node)
        for one in runs:
            tags.update(self._host.output(one).tags)
        if not runs and ("$(" in text or "`" in text):
            self._host.note("shell.syntax")
        return UNKNOWN


def _quoted_text(raw: bytes, escapes: re.Pattern[str]) -> str:
    if not raw:
        return ""
    text = escapes.sub(_kept, reveal(raw))
    found = quote(text)
    return "" if found == EMPTY else found


def _kept(match: re.Match[str]) -> str:
    return "" if match.group(1) == "\n" else match.group(1)
