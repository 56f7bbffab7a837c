"""The grammar: a tree of a script, and what its nodes say.

The grammar's scanner asks C's character classes about code points beyond their tables, which is undefined and has been
seen to crash.  So it only ever sees ASCII: any other character is spelled ``:u`` with six hexadecimal digits and ``_:``
before (``hide``) and read back from every node's text (``text_of``).  A text that holds such a spelling itself is
refused (``is_spelled``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import tree_sitter_bash
from tree_sitter import Language, Node, Parser

_PARSER = Parser(Language(tree_sitter_bash.language()))
_OTHER = re.compile(r"[^\x00-\x7f]")
_SPELLED = re.compile(r":u([0-9a-f]{6})_:")
_OTHER_WHITE = re.compile(r"[\v\f]|\r(?!\n)")
_COMMENTED = re.compile(r"(?:\A|[\n;&|()<>`]|(?<!\\)(?:\\\\)*[ \t])\Z")
_WHITE = frozenset(b" \t")
_READERS = ("read ", "mapfile ", "readarray ", "let ", "printf -v", "getopts ")
SKIPPED = frozenset(("comment", "variable_name", "file_descriptor", "heredoc_start", "heredoc_end", "heredoc_body"))


def parse(text: str) -> Node:
    """The tree of a script."""
    return _PARSER.parse(hide(text).encode()).root_node


def hide(text: str) -> str:
    """The text in ASCII."""
    return text if text.isascii() else _OTHER.sub(lambda found: f":u{ord(found.group()):06x}_:", text)


def is_spelled(text: str) -> bool:
    """Whether the text holds what ``hide`` writes."""
    return ":u" in text and _SPELLED.search(text) is not None


def reveal(raw: bytes) -> str:
    """The text that a part of a hidden source stands for."""
    text = raw.decode("utf-8", "replace")
    return _SPELLED.sub(lambda found: chr(int(found.group(1), 16)), text) if ":u" in text else text


def text_of(node: Node) -> str:
    """The text of a node."""
    return reveal(node.text or b"")


def statements(node: Node) -> list[Node]:
    """The children that run."""
    return [child for child in node.children if child.is_named and child.type not in SKIPPED]


def substitutions(node: Node) -> list[Node]:
    """The outermost command substitutions below a node."""
    found: list[Node] = []
    waiting = list(node.named_children)
    while waiting:
        one = waiting.pop()
        if one.type == "command_substitution":
            found.append(one)
        else:
            waiting.extend(one.named_children)
    return found


def is_wrong(root: Node) -> bool:
    """Whether the grammar could not read a part, but for ``<>``, which it reads as two redirections."""
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if node.is_missing or (node.is_error and not _read_write(node)):
            return True
        waiting.extend(child for child in node.children if child.has_error or child.is_missing)
    return False


def is_read_otherwise(root: Node, text: str) -> bool:
    """Whether ``bash`` may see other words: its only white space is blank, tab and newline, also before a comment."""
    if _OTHER_WHITE.search(text):
        return True
    return "#" in text and any(not _COMMENTED.search(before) for before in _before_comments(root, hide(text)))


def _before_comments(root: Node, source: str) -> Iterator[str]:
    """What stands before each comment, as far back as matters."""
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if node.type == "comment":
            yield source[max(0, node.start_byte - 64) : node.start_byte]
        elif node.child_count:
            waiting.extend(node.children)


def flattened(nodes: Sequence[Node]) -> list[Node]:
    """Redirections, with those that the grammar hangs below a here-document."""
    found: list[Node] = []
    for node in nodes:
        found.append(node)
        if node.type == "heredoc_redirect":
            found.extend(node.children_by_field_name("redirect"))
    return found


def destinations(node: Node) -> list[Node]:
    """Where a redirection goes, then words that follow it; a number that touches the next one is its descriptor."""
    found = node.children_by_field_name("destination")
    following = node.next_sibling
    touches = following is not None and bool(found) and following.start_byte == found[-1].end_byte
    if len(found) > 1 and found[-1].type == "number" and touches:
        found.pop()
    return found


def sign_of(node: Node) -> str:
    """The operator of a redirection with its descriptor."""
    text = "".join(text_of(child) for child in node.children if child.type == "file_descriptor")
    for child in node.children:
        if not child.is_named:
            text += child.type
        elif child.is_error:
            text += text_of(child).strip()
    return text


def are_apart(node: Node, end: int, start: int) -> bool:
    """Whether white space stands between two words, so that they are two in bash as well."""
    between = (node.text or b"")[end - node.start_byte : start - node.start_byte]
    return bool(_WHITE.intersection(between)) or between.replace(b"\\\n", b"") != b""


def untabbed(text: str, node: Node) -> str:
    """The body of a here-document, without leading tabs after ``<<-``."""
    if node.children and node.children[0].type == "<<-":
        return re.sub(r"^\t+", "", text, flags=re.MULTILINE)
    return text


def assigned_in(node: Node) -> set[str]:
    """The variables that a body may set."""
    found: set[str] = set()
    waiting = [node]
    while waiting:
        one = waiting.pop()
        if one.type == "variable_assignment":
            name = one.child_by_field_name("name")
            found.add(text_of(name).partition("[")[0] if name is not None else "")
        elif one.type in ("command", "postfix_expression", "unary_expression"):
            text = text_of(one)
            if text.startswith(_READERS) or one.type != "command":
                found.update(re.findall(r"[A-Za-z_]\w*", text))
        waiting.extend(one.named_children)
    return found - {""}


def _read_write(node: Node) -> bool:
    parent = node.parent
    return parent is not None and parent.type == "file_redirect" and (node.text or b"").strip() == b">"
