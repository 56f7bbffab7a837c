"""The walker: runs a parsed script abstractly, in order, with what is known of its words and of its data.

Each statement takes what it reads and gives what it writes as ``Data``: text as far as it is static, and tags that say
where the text comes from (``file``, ``private``, ``secret``, ``download``, ``decoded``, ``system``, ``environment``,
``socket``, ``shell``).  Conditions are not decided: every branch is walked and the states are joined.  What the grammar
could not read is opaque, and its parts are walked nevertheless, because an attack inside them is still an attack.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from tree_sitter import Node

from interlock.analyst.claims import Claims
from interlock.analyst.shell import statements
from interlock.analyst.shell.expand import Expander
from interlock.analyst.shell.grammar import SKIPPED, are_apart, is_read_otherwise, is_wrong, parse, text_of
from interlock.analyst.shell.grammar import statements as statements_of
from interlock.analyst.shell.redirects import give, redirected, redirects
from interlock.analyst.shell.state import State
from interlock.analyst.shell.words import NOTHING, Data, Word, combine, unknown

MAX_DEPTH = 48
MAX_WORK = 40_000
MAX_EXPANSIONS = 2000
_ASSIGNMENTS = frozenset(("variable_assignment", "variable_assignments", "declaration_command", "unset_command"))
Runner = Callable[["Walker", list[Word], Data, dict[str, Data]], Data]


class Exhausted(Exception):  # noqa: N818  A bound that was met is no error.
    """More work than one text may cause."""


class Budget:
    """What is left to one question, over all nested texts."""

    def __init__(self, nesting: int = 0) -> None:
        self.left = MAX_WORK
        self.depth = 0
        self.nesting = nesting

    def spend(self, count: int = 1) -> None:
        """Count work; raises ``Exhausted``."""
        self.left -= count
        if self.left < 0:
            raise Exhausted


class Walker:
    """Walks one script; nested shells get a walker of their own with a fork of the state."""

    def __init__(self, claims: Claims, state: State, budget: Budget, runner: Runner) -> None:
        self.claims = claims
        self.state = state
        self.budget = budget
        self.runner = runner
        self.expander = Expander(self)
        self.active: list[str] = []
        self.concurrent = 0
        self.escaped = 0
        self.attached: dict[int, list[Node]] = {}
        self.stdin = NOTHING

    def script(self, text: str, stdin: Data) -> Data:
        """Walk a whole text."""
        if "<<" in text and text.count("$") > MAX_EXPANSIONS:  # The grammar's scanner is quadratic in these.
            self.note("shell.too_large")
            return unknown(stdin.tags)
        root = parse(text)
        if (root.has_error and is_wrong(root)) or is_read_otherwise(root, text):
            self.note("shell.syntax")
        return self.run(root, stdin)

    def spend(self, count: int = 1) -> None:
        """Count work."""
        self.budget.spend(count)

    def note(self, code: str) -> None:
        """Something that cannot be seen into."""
        self.claims.opaque(code)

    def output(self, node: Node) -> Data:
        """Run a command substitution in a subshell."""
        text = text_of(node)
        if text.startswith("`") and "\\" in text:
            return self.nested(re.sub(r"\\([`\\$])", r"\1", text[1:-1]), NOTHING)
        if all(child.type == "file_redirect" for child in node.named_children):
            reads = redirects(self, node.named_children, NOTHING).stdin
            return reads or NOTHING
        return self.forked(lambda: self.sequence(node, self.stdin))

    def piped(self, node: Node) -> Data:
        """Run a process substitution in a subshell; what it reads is what the command beside it reads."""
        return self.forked(lambda: self.sequence(node, unknown(self.stdin.tags)))

    def parse_word(self, text: str) -> Node | None:
        """The node of a text, read as inside double quotes."""
        self.spend(1 + len(text) // 64)
        root = parse(f': "{text}"')
        command = next(iter(root.named_children), None)
        words = command.named_children if command is not None and command.type == "command" else []
        whole = len(words) == 2 and words[1].type == "string" and words[1].end_byte == root.end_byte
        return words[1] if whole and not root.has_error else None

    def nested(self, text: str, stdin: Data) -> Data:
        """Walk a text in a subshell of this one."""
        return self.forked(lambda: self.script(text, stdin))

    def _redirected(self, node: Node, stdin: Data) -> Data:
        """A compound command with redirections, after which no words may stand."""
        nodes = self.attached.pop(node.id)
        around = redirects(self, nodes, stdin)
        if around.words:
            self.note("shell.syntax")
        found = self.run(node, around.stdin if around.stdin is not None else stdin)
        self.attached[node.id] = nodes
        return give(self, found, around)

    def into(self, node: Node, data: Data) -> None:
        """Give data to a process substitution."""
        self.forked(lambda: self.sequence(node, data))

    def run(self, node: Node, stdin: Data) -> Data:
        """Walk one statement."""
        self.spend()
        self.budget.depth += 1
        try:
            if self.budget.depth > MAX_DEPTH:
                self.note("shell.too_deep")
                return unknown(stdin.tags)
            kind = node.type
            handler = _KINDS.get(kind)
            if node.id in self.attached and kind not in ("command", "list", "pipeline", "negated_command"):
                return self._redirected(node, stdin)
            if handler is not None:
                return handler(self, node, stdin)
            if kind in _ASSIGNMENTS:
                return statements.declare(self, node)
            if node.is_named and kind not in SKIPPED:
                return self._other(node, stdin)
            return NOTHING
        finally:
            self.budget.depth -= 1

    def forked(self, work: Callable[[], Data]) -> Data:
        kept = self.state
        self.state = kept.fork()
        try:
            found = work()
            kept.files = self.state.files
            return found
        finally:
            self.state = kept

    def _other(self, node: Node, stdin: Data) -> Data:
        """What is no statement: an error, or an expression whose substitutions run."""
        if node.is_error:
            self.note("shell.syntax")
            return self.sequence(node, stdin)
        if node.type == "command_substitution":
            return self.output(node)
        found = NOTHING
        for child in node.named_children:
            found = combine(found, self.run(child, stdin))
        return found

    def sequence(self, node: Node, stdin: Data) -> Data:
        found = NOTHING
        children = node.children
        for index, child in enumerate(children):
            if not child.is_named or child.type in SKIPPED:
                continue
            background = index + 1 < len(children) and children[index + 1].type == "&"
            self.concurrent += background
            found = combine(found, self.run(child, stdin))
            self.concurrent -= background
        return found

    def compound(self, node: Node, stdin: Data) -> Data:
        if node.children and node.children[0].type == "((":
            return statements.condition(self, node, stdin)
        return self.sequence(node, stdin)

    def subshell(self, node: Node, stdin: Data) -> Data:
        return self.forked(lambda: self.sequence(node, stdin))

    def list_of(self, node: Node, stdin: Data) -> Data:
        parts = node.named_children
        found = self.run(parts[0], stdin) if parts else NOTHING
        for part in parts[1:]:
            found = combine(found, self.perhaps(part, stdin))
        return found

    def perhaps(self, node: Node, stdin: Data) -> Data:
        """A statement that may not run: afterwards either state may hold."""
        before = self.state.fork()
        found = self.run(node, stdin)
        self.state.join(before)
        return found

    def pipeline(self, node: Node, stdin: Data) -> Data:
        """Each stage in a subshell reads what the one before it writes."""
        return self.stages(statements_of(node), stdin)

    def stages(self, stages: Sequence[Node], stdin: Data) -> Data:
        """As ``pipeline``."""
        data = stdin
        self.concurrent += 1
        for stage in stages:
            data = self._piece(stage, data)
        self.concurrent -= 1
        return data

    def _piece(self, stage: Node, reads: Data) -> Data:
        return self.forked(lambda: self.run(stage, reads))

    def words(self, node: Node) -> list[Word]:
        """The words of one node."""
        return self.expander.words(node)

    def command(self, node: Node, stdin: Data) -> Data:
        """A simple command: assignments, words and redirections."""
        around = redirects(self, self._around(node), stdin)
        reads = around.stdin if around.stdin is not None else stdin
        kept, self.stdin = self.stdin, reads
        assigned: dict[str, Data] = {}
        words = [*self._words_of(node, assigned), *around.words]
        if words:
            found = self.runner(self, words, reads, assigned)
        else:
            found = NOTHING
            statements.keep(self, assigned)
        self.stdin = kept
        return give(self, found, around)

    def _around(self, node: Node) -> list[Node]:
        """The redirections inside a command, and those that the grammar hung around it."""
        inner = [one for one in node.named_children if one.type.endswith("_redirect")]
        return [*inner, *self.attached.get(node.id, ())]

    def _words_of(self, node: Node, assigned: dict[str, Data]) -> list[Word]:
        words: list[Word] = []
        end = -1
        starts = {one.start_byte for one in self._around(node)}
        for child in node.named_children:
            if child.text == b"0" and child.end_byte in starts:
                continue  # ``0<`` is the input, which the grammar reads as a word of its own.
            if child.type == "variable_assignment":
                statements.assign(self, child, assigned)
            elif child.type == "ERROR":
                self.run(child, self.stdin)
            elif not child.type.endswith("_redirect") and child.type != "comment":
                if child.start_byte > end >= 0 and not are_apart(node, end, child.start_byte):
                    self.note("shell.syntax")
                words.extend(self.words(child))
            end = child.end_byte
        return words


def _sequence(walker: Walker, node: Node, stdin: Data) -> Data:
    return walker.sequence(node, stdin)


_KINDS: dict[str, Callable[[Walker, Node, Data], Data]] = {
    "program": _sequence,
    "do_group": _sequence,
    "else_clause": _sequence,
    "case_item": _sequence,
    "negated_command": _sequence,
    "compound_statement": Walker.compound,
    "subshell": Walker.subshell,
    "list": Walker.list_of,
    "pipeline": Walker.pipeline,
    "command": Walker.command,
    "redirected_statement": redirected,
    "if_statement": statements.branch,
    "elif_clause": statements.branch,
    "while_statement": statements.loop,
    "c_style_for_statement": statements.loop,
    "for_statement": statements.each,
    "case_statement": statements.choose,
    "function_definition": statements.define,
    "test_command": statements.condition,
}
