"""Redirections (bash(1), REDIRECTION): what a command reads, where its output goes, and what stands between.

The grammar hangs words that follow a redirection below it, and the rest of a pipeline below a here-document.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from tree_sitter import Node

from interlock.analyst.shell.files import deliver, opened, socket_of
from interlock.analyst.shell.grammar import destinations, flattened, sign_of, statements, text_of, untabbed
from interlock.analyst.shell.words import NOTHING, Data, Word, combine

if TYPE_CHECKING:
    from interlock.analyst.shell.walk import Walker

_DELIMITER = re.compile(r"\\?(['\"]?)[A-Za-z0-9_.:+@-]+\1\Z")


class Redirects(NamedTuple):
    """What stands around a command: what it reads, where its output goes, and words that follow a redirection."""

    stdin: Data | None
    targets: tuple[tuple[Data, str], ...]
    words: tuple[Word, ...]
    into: tuple[Node, ...]


def redirected(walker: Walker, node: Node, stdin: Data) -> Data:
    """Redirections bind to the last simple or compound command, whatever the grammar puts them around."""
    body = node.child_by_field_name("body")
    nodes = [one for one in node.named_children if one != body]
    if body is None:
        around = redirects(walker, nodes, stdin)
        data = give(walker, NOTHING, around) if around.targets or around.stdin is not None else NOTHING
        return rest(walker, node, data)
    last = body
    while last.type in ("list", "pipeline", "negated_command") and statements(last):
        last = statements(last)[-1]
    walker.attached[last.id] = nodes
    return rest(walker, node, walker.run(body, stdin))


def rest(walker: Walker, node: Node, data: Data) -> Data:
    """What the grammar hangs below a here-document: the rest of the pipeline or of the list."""
    for redirect in node.named_children:
        if redirect.type != "heredoc_redirect":
            continue
        for child in redirect.children:
            if child.type == "pipeline":
                data = walker.stages([one for one in child.children if one.is_named], data)
        right = redirect.child_by_field_name("right")
        if right is not None:
            data = combine(data, walker.perhaps(right, NOTHING))
    return data


def give(walker: Walker, data: Data, around: Redirects) -> Data:
    """Give a command's output to where it is redirected."""
    for node in around.into:
        walker.into(node, data)
    return deliver(walker, data, around.targets) if around.targets or around.into else data


def redirects(walker: Walker, nodes: Sequence[Node], stdin: Data) -> Redirects:
    """Read all redirections of a command, in order."""
    found = Redirects(None, (), (), ())
    walker.stdin = stdin
    for node in flattened(nodes):
        if node.type == "herestring_redirect":
            text = walker.expander.data(node.named_children[-1]) if node.named_children else NOTHING
            found = found._replace(stdin=Data(text.text + "\n", text.tags))
        elif node.type == "heredoc_redirect":
            more = [word for one in node.children_by_field_name("argument") for word in walker.words(one)]
            found = found._replace(stdin=heredoc(walker, node), words=(*found.words, *more))
        elif node.type == "file_redirect":
            found = _file(walker, node, found)
    return found


def _file(walker: Walker, node: Node, found: Redirects) -> Redirects:
    places, sign = destinations(node), sign_of(node)
    more = [word for one in places[1:] for word in walker.words(one)]
    found = found._replace(words=(*found.words, *more))
    if not places:
        return found
    if places[0].type == "process_substitution" and ">" in sign:
        return found._replace(into=(*found.into, places[0]))
    target = walker.expander.data(places[0])
    number = sign.rstrip("<>&|")
    if "<" in sign:
        data = opened(walker, target, sign)
        found = found._replace(stdin=data) if number in ("", "0") else found
        if number.isdigit():
            walker.state.descriptors[number] = data
    if ">" in sign:
        found = found._replace(targets=(*found.targets, (target, sign)))
        if number.isdigit() and target.text.startswith("/dev/"):
            walker.state.descriptors[number] = socket_of(target)
    return found


def heredoc(walker: Walker, node: Node) -> Data:
    body, start = None, ""
    for child in node.children:
        if child.type == "heredoc_body":
            body = child
        elif child.type == "heredoc_start":
            start = text_of(child)
    if not _DELIMITER.match(start):
        walker.note("shell.syntax")
    if body is None:
        return NOTHING
    raw = text_of(body)
    if start[:1] in ("'", '"', "\\"):
        return Data(untabbed(raw, node))
    found = walker.expander.literal(body)
    return Data(untabbed(found.text, node), found.tags)
