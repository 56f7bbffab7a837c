"""Assignments and control (bash(1), SHELL GRAMMAR): every branch is walked, and where ways meet, states are joined."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tree_sitter import Node

from interlock.analyst.shell.environment import assigned, evaluated
from interlock.analyst.shell.globs import as_value
from interlock.analyst.shell.grammar import SKIPPED, assigned_in, substitutions, text_of
from interlock.analyst.shell.state import State
from interlock.analyst.shell.words import NONE, NOTHING, UNKNOWN, Data, Word, combine, unknown

if TYPE_CHECKING:
    from interlock.analyst.shell.walk import Walker

MAX_LOOP = 8


def assign(walker: Walker, node: Node, into: dict[str, Data]) -> None:
    name, value = node.child_by_field_name("name"), node.child_by_field_name("value")
    if name is None:
        return
    text = text_of(name)
    if name.type == "subscript":
        data = walker.expander.data(value) if value is not None else NOTHING
        text = text.partition("[")[0]
        for one in substitutions(name):
            walker.output(one)
        walker.state.forget(text)
        into[text] = unknown(data.tags)
        return
    if value is not None and value.type == "array":
        items = [Data(word.text, word.tags) for child in value.named_children for word in walker.words(child)]
        walker.state.variables.pop(text, None)
        walker.state.arrays[text] = tuple(items)
        return
    data = walker.expander.data(value) if value is not None else NOTHING
    if any(child.type == "+=" for child in node.children):
        old = walker.expander.value(text)
        data = Data(old.text + data.text, old.tags | data.tags)
    walker.state.arrays.pop(text, None)
    into[text] = data


def keep(walker: Walker, values: dict[str, Data]) -> None:
    """Assignments that no command follows stay."""
    walker.state.variables.update(values)
    assigned(walker, values, exported=False)


def declare(walker: Walker, node: Node) -> Data:
    values: dict[str, Data] = {}
    if node.type == "variable_assignment":
        assign(walker, node, values)
    elif node.type == "unset_command":
        removed = [word for child in node.named_children for word in walker.words(child)]
        evaluated(walker, (word.text for word in removed))
        for word in removed:
            walker.state.variables[word.text] = NOTHING
            values[word.text] = NOTHING
    for child in node.named_children if node.type != "variable_assignment" else ():
        if child.type == "variable_assignment":
            assign(walker, child, values)
        elif node.type == "declaration_command" and child.type not in ("variable_name", "word"):
            _dynamic_declaration(walker, child)
    flags = [text_of(child) for child in node.named_children if child.type == "word"]
    walker.state.variables.update(attributed(walker, flags, values))
    assigned(walker, values, exported=node.type == "declaration_command")
    return NOTHING


def attributed(walker: Walker, flags: Sequence[str], values: dict[str, Data]) -> dict[str, Data]:
    """What ``declare`` with attributes makes of values: another name, another case, a number."""
    letters = "".join(flag[1:] for flag in flags if flag[:1] in ("-", "+"))
    if "n" in letters:
        walker.note("shell.dynamic_argument")
    if set(letters) & set("nluci"):
        if not values:
            walker.note("shell.dynamic_argument")  # An attribute that acts on what is assigned later.
        return {name: unknown(value.tags) for name, value in values.items()}
    return values


def _dynamic_declaration(walker: Walker, child: Node) -> None:
    for word in walker.words(child):
        name, equals, text = word.text.partition("=")
        if equals and name.isidentifier():
            walker.state.variables[name] = Data(text, word.tags)
        elif not word.known:
            walker.note("shell.dynamic_command")


def condition(walker: Walker, node: Node, stdin: Data) -> Data:
    for name in re.findall(r"([A-Za-z_]\w*)\s*(?:\+\+|--|[-+*/%&|^]?=[^=])", text_of(node)):
        if node.children[0].type == "((":
            walker.state.forget(name)
    waiting = list(node.named_children)
    while waiting:
        walker.spend()
        one = waiting.pop()
        if one.type in ("command_substitution", "process_substitution"):
            walker.output(one) if one.type == "command_substitution" else walker.piped(one)
        elif one.type == "expansion":
            walker.words(one)
        elif one.type == "raw_string":
            evaluated(walker, [text_of(one)])
        elif one.type == "command":
            walker.run(one, stdin)
        else:
            waiting.extend(one.named_children)
    return NOTHING


def branch(walker: Walker, node: Node, stdin: Data) -> Data:
    found, ways = NOTHING, list[State]()
    before = walker.state.fork()
    branched = closed = False
    for child in node.children:
        if child.type == "then":
            before, branched = walker.state.fork(), True
        elif child.type in ("elif_clause", "else_clause"):
            ways.append(walker.state)
            walker.state = before.fork()
            found = combine(found, walker.run(child, stdin))
            before = walker.state.fork() if child.type == "elif_clause" else before
            closed = closed or child.type == "else_clause"
        elif child.is_named and child.type not in SKIPPED:
            found = combine(found, walker.run(child, stdin))
    for way in ways:
        walker.state.join(way)
    if branched and not closed and node.type == "if_statement":
        walker.state.join(before)
    return found


def loop(walker: Walker, node: Node, stdin: Data) -> Data:
    """A body that runs any number of times: what it assigns is not known when it starts."""
    before = walker.state.fork()
    for name in assigned_in(node):
        walker.state.forget(name)
    found = NOTHING
    for child in node.named_children:
        if child.type not in SKIPPED:
            found = combine(found, walker.run(child, stdin))
    walker.state.ended = False
    walker.state.join(before)
    return found


def each(walker: Walker, node: Node, stdin: Data) -> Data:
    variable, body = node.child_by_field_name("variable"), node.child_by_field_name("body")
    if variable is None or body is None:
        walker.note("shell.syntax")
        return NOTHING
    name = text_of(variable)
    places = node.children_by_field_name("value")
    words = [word for place in places for word in walker.words(place)]
    if not any(child.type == "in" for child in node.children):
        words = [Word(one.text, one.tags) for one in walker.state.parameters or (unknown(),)]
    before = walker.state.fork()
    for changed in assigned_in(body):
        walker.state.forget(changed)
    found = NOTHING
    if len(words) > MAX_LOOP:
        words = [Word(UNKNOWN, NONE.union(*(word.tags for word in words)))]
    for word in words:
        walker.state.variables[name] = as_value(word)
        found = combine(found, walker.run(body, stdin))
        walker.state.ended = False
    walker.state.join(before)
    return found


def choose(walker: Walker, node: Node, stdin: Data) -> Data:
    before, found = walker.state.fork(), NOTHING
    value = node.child_by_field_name("value")
    if value is not None:
        walker.expander.data(value)
    end = before.fork()
    for item in node.named_children:
        if item.type != "case_item":
            continue
        walker.state = before.fork()
        patterns = item.children_by_field_name("value")
        for child in item.named_children:
            if child in patterns:
                walker.expander.data(child)
            else:
                found = combine(found, walker.run(child, stdin))
        end.join(walker.state)
    walker.state = end
    return found


def define(walker: Walker, node: Node, _stdin: Data) -> Data:
    name, body = node.child_by_field_name("name"), node.child_by_field_name("body")
    if name is None or body is None:
        walker.note("shell.syntax")
        return NOTHING
    walker.state.functions[text_of(name)] = body
    if text_of(name) == "command_not_found_handle":  # It runs whenever a name is not known.
        return walker.run(body, NOTHING)
    return NOTHING
