"""The walker: runs a parsed script abstractly, in order, with what is known of its words and of its data.

Each statement takes what it reads and gives what it writes as ``Data``: text as far as it is static, and tags that say
where the text comes from (``file``, ``private``, ``secret``, ``download``, ``decoded``, ``system``, ``environment``,
``socket``, ``shell``).  Conditions are not decided: every branch is walked and the states are joined.  What the grammar
could not read is opaque, and its parts are walked nevertheless, because an attack inside them is still an attack.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

import tree_sitter_bash
from tree_sitter import Language, Node, Parser

from interlock.analyst.claims import Claims
from interlock.analyst.shell.expand import Expander, substitutions
from interlock.analyst.shell.state import State
from interlock.analyst.shell.words import MAX_TEXT, NONE, UNKNOWN, Data, Word, unknown

MAX_DEPTH = 48
MAX_WORK = 40_000
MAX_LOOP = 8
NOTHING = Data()
_PARSER = Parser(Language(tree_sitter_bash.language()))
_DELIMITER = re.compile(r"\\?(['\"]?)[A-Za-z0-9_.:+@-]+\1\Z")
_ASSIGNMENTS = frozenset(("variable_assignment", "variable_assignments", "declaration_command", "unset_command"))
_SKIPPED = frozenset(("comment", "variable_name", "file_descriptor", "heredoc_start", "heredoc_end", "heredoc_body"))
_WHITE = frozenset(b" \t")
Runner = Callable[["Walker", list[Word], Data, dict[str, Data]], Data]


class Exhausted(Exception):  # noqa: N818  It is a bound that was met, no error.
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


class Redirects(NamedTuple):
    """What stands around a command: what it reads, where its output goes, and words that follow a redirection."""

    stdin: Data | None
    targets: tuple[tuple[Data, str], ...]
    words: tuple[Word, ...]
    into: tuple[Node, ...]


def parse(text: str) -> Node:
    """The tree of a script."""
    return _PARSER.parse(text.encode("utf-8", "replace")).root_node


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
        self.stdin = NOTHING
        self._kinds: dict[str, Callable[[Node, Data], Data]] = {
            "program": self._sequence,
            "compound_statement": self._compound,
            "do_group": self._sequence,
            "else_clause": self._sequence,
            "subshell": self._subshell,
            "list": self._list,
            "pipeline": self._pipeline,
            "command": self._command,
            "redirected_statement": self._redirected,
            "if_statement": self._if,
            "elif_clause": self._if,
            "while_statement": self._while,
            "for_statement": self._for,
            "c_style_for_statement": self._loop,
            "case_statement": self._case,
            "case_item": self._sequence,
            "function_definition": self._function,
            "negated_command": self._sequence,
            "test_command": self._test,
        }

    def script(self, text: str, stdin: Data) -> Data:
        """Walk a whole text."""
        root = parse(text)
        if root.has_error:
            self._errors(root)
        return self.run(root, stdin)

    def spend(self, count: int = 1) -> None:
        """Count work."""
        self.budget.spend(count)

    def note(self, code: str) -> None:
        """Something that cannot be seen into."""
        self.claims.opaque(code)

    def output(self, node: Node) -> Data:
        """Run a command substitution in a subshell."""
        text = (node.text or b"").decode("utf-8", "replace")
        if text.startswith("`") and "\\" in text:
            return self.nested(re.sub(r"\\([`\\$])", r"\1", text[1:-1]), NOTHING)
        if all(child.type == "file_redirect" for child in node.named_children):
            reads = self._redirects(node.named_children, NOTHING).stdin
            return reads or NOTHING
        return self._forked(lambda: self._sequence(node, self.stdin))

    def piped(self, node: Node) -> Data:
        """Run a process substitution in a subshell; what it reads is what the command beside it reads."""
        return self._forked(lambda: self._sequence(node, unknown(self.stdin.tags)))

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
        return self._forked(lambda: self.script(text, stdin))

    def run(self, node: Node, stdin: Data) -> Data:
        """Walk one statement."""
        self.spend()
        self.budget.depth += 1
        try:
            if self.budget.depth > MAX_DEPTH:
                self.note("shell.too_deep")
                return unknown(stdin.tags)
            kind = node.type
            handler = self._kinds.get(kind)
            if handler is not None:
                return handler(node, stdin)
            if kind in _ASSIGNMENTS:
                return self._declare(node)
            if node.is_named and kind not in _SKIPPED:
                return self._other(node, stdin)
            return NOTHING
        finally:
            self.budget.depth -= 1

    def _forked(self, work: Callable[[], Data]) -> Data:
        kept = self.state
        self.state = kept.fork()
        try:
            found = work()
            kept.files = self.state.files
            return found
        finally:
            self.state = kept

    def _errors(self, root: Node) -> None:
        """An error counts, but for the one that reads ``<>`` as two redirections."""
        waiting = [root]
        while waiting:
            node = waiting.pop()
            if node.is_missing or (node.is_error and not _read_write(node)):
                self.note("shell.syntax")
                return
            waiting.extend(child for child in node.children if child.has_error or child.is_missing)

    def _other(self, node: Node, stdin: Data) -> Data:
        """What is no statement: an error, or an expression whose substitutions run."""
        if node.is_error:
            self.note("shell.syntax")
            return self._sequence(node, stdin)
        if node.type == "command_substitution":
            return self.output(node)
        found = NOTHING
        for child in node.named_children:
            found = combine(found, self.run(child, stdin))
        return found

    def _sequence(self, node: Node, stdin: Data) -> Data:
        found = NOTHING
        children = node.children
        for index, child in enumerate(children):
            if not child.is_named or child.type in _SKIPPED:
                continue
            background = index + 1 < len(children) and children[index + 1].type == "&"
            self.concurrent += background
            found = combine(found, self.run(child, stdin))
            self.concurrent -= background
        return found

    def _compound(self, node: Node, stdin: Data) -> Data:
        if node.children and node.children[0].type == "((":
            return self._test(node, stdin)
        return self._sequence(node, stdin)

    def _subshell(self, node: Node, stdin: Data) -> Data:
        return self._forked(lambda: self._sequence(node, stdin))

    def _list(self, node: Node, stdin: Data) -> Data:
        parts = node.named_children
        found = self.run(parts[0], stdin) if parts else NOTHING
        for part in parts[1:]:
            found = combine(found, self._perhaps(part, stdin))
        return found

    def _perhaps(self, node: Node, stdin: Data) -> Data:
        """A statement that may not run: afterwards either state may hold."""
        before = self.state.fork()
        found = self.run(node, stdin)
        self.state.join(before)
        return found

    def _pipeline(self, node: Node, stdin: Data, last: Data | None = None) -> Data:
        stages = [child for child in node.children if child.is_named and child.type not in _SKIPPED]
        return self._stages(stages, stdin, last)

    def _stages(self, stages: Sequence[Node], stdin: Data, last: Data | None = None) -> Data:
        data = stdin
        self.concurrent += 1
        for index, stage in enumerate(stages):
            reads = last if last is not None and index == len(stages) - 1 else data
            data = self._piece(stage, reads)
        self.concurrent -= 1
        return data

    def _piece(self, stage: Node, reads: Data) -> Data:
        return self._forked(lambda: self.run(stage, reads))

    def _redirected(self, node: Node, stdin: Data) -> Data:
        body = node.child_by_field_name("body")
        around = self._redirects([one for one in node.named_children if one != body], stdin)
        reads = around.stdin if around.stdin is not None else stdin
        if body is None:
            data = NOTHING
            if not around.targets and around.stdin is None:
                return NOTHING
        elif body.type == "command":
            data = self._command(body, reads, around)
            return self._rest(node, data)
        elif body.type == "pipeline" and around.stdin is not None:
            data = self._pipeline(body, stdin, around.stdin)
        else:
            data = self.run(body, reads)
        return self._rest(node, self._deliver(data, around))

    def _rest(self, node: Node, data: Data) -> Data:
        """What the grammar hangs below a here-document: the rest of the pipeline or of the list."""
        for redirect in node.named_children:
            if redirect.type != "heredoc_redirect":
                continue
            for child in redirect.children:
                if child.type == "pipeline":
                    data = self._stages([one for one in child.children if one.is_named], data)
            right = redirect.child_by_field_name("right")
            if right is not None:
                data = combine(data, self._perhaps(right, NOTHING))
        return data

    def _deliver(self, data: Data, around: Redirects) -> Data:
        """Give a command's output to where it is redirected."""
        from interlock.analyst.shell.files import deliver

        for node in around.into:
            self._forked(lambda node=node: self._sequence(node, data))  # type: ignore[misc]
        return deliver(self, data, around.targets) if around.targets or around.into else data

    def _redirects(self, nodes: Sequence[Node], stdin: Data) -> Redirects:
        from interlock.analyst.shell.files import opened, socket_of

        reads: Data | None = None
        targets: list[tuple[Data, str]] = []
        words: list[Word] = []
        into: list[Node] = []
        self.stdin = stdin
        for node in _flattened(nodes):
            if node.type == "herestring_redirect":
                text = self.expander.data(node.named_children[-1]) if node.named_children else NOTHING
                reads = Data(text.text + "\n", text.tags)
            elif node.type == "heredoc_redirect":
                reads = self._heredoc(node)
                words.extend(word for one in node.children_by_field_name("argument") for word in self.words(one))
            elif node.type == "file_redirect":
                places = _destinations(node)
                words.extend(word for one in places[1:] for word in self.words(one))
                sign = _sign(node)
                if places and places[0].type == "process_substitution" and ">" in sign:
                    into.append(places[0])
                elif places:
                    target = self.expander.data(places[0])
                    number = sign.rstrip("<>&|")
                    if "<" in sign:
                        data = opened(self, target, sign)
                        reads = data if number in ("", "0") else reads
                        if number.isdigit():
                            self.state.descriptors[number] = data
                    if ">" in sign:
                        targets.append((target, sign))
                        if number.isdigit() and target.text.startswith("/dev/"):
                            self.state.descriptors[number] = socket_of(target)
        return Redirects(reads, tuple(targets), tuple(words), tuple(into))

    def _heredoc(self, node: Node) -> Data:
        body, start = None, ""
        for child in node.children:
            if child.type == "heredoc_body":
                body = child
            elif child.type == "heredoc_start":
                start = (child.text or b"").decode("utf-8", "replace")
        if not _DELIMITER.match(start):
            self.note("shell.syntax")
        if body is None:
            return NOTHING
        raw = (body.text or b"").decode("utf-8", "replace")
        if start[:1] in ("'", '"', "\\"):
            return Data(_stripped(raw, node))
        found = self.expander.literal(body)
        return Data(_stripped(found.text, node), found.tags)

    def words(self, node: Node) -> list[Word]:
        """The words of one node."""
        return self.expander.words(node)

    def _command(self, node: Node, stdin: Data, around: Redirects | None = None) -> Data:
        inner = [one for one in node.named_children if one.type.endswith("_redirect")]
        if inner:
            more = self._redirects(inner, stdin)
            stdin = more.stdin if more.stdin is not None else stdin
            around = _merged(around, more)
        kept, self.stdin = self.stdin, stdin
        assigned: dict[str, Data] = {}
        words: list[Word] = []
        end = -1
        for child in node.named_children:
            if child.type == "variable_assignment":
                self._assign(child, assigned)
            elif not child.type.endswith("_redirect") and child.type not in ("comment", "ERROR"):
                if child.start_byte > end >= 0 and not _apart(node, end, child.start_byte):
                    self.note("shell.syntax")
                words.extend(self.words(child))
            elif child.type == "ERROR":
                self.run(child, stdin)
            end = child.end_byte
        if around is not None:
            words.extend(around.words)
        if not words:
            for name, value in assigned.items():
                self.state.variables[name] = value
            found = NOTHING
        else:
            found = self.runner(self, words, stdin, assigned)
        self.stdin = kept
        return self._deliver(found, around) if around is not None else found

    def _assign(self, node: Node, into: dict[str, Data]) -> None:
        name, value = node.child_by_field_name("name"), node.child_by_field_name("value")
        if name is None:
            return
        text = (name.text or b"").decode("utf-8", "replace")
        if name.type == "subscript":
            data = self.expander.data(value) if value is not None else NOTHING
            text = text.partition("[")[0]
            for one in substitutions(name):
                self.output(one)
            self.state.forget(text)
            into[text] = unknown(data.tags)
            return
        if value is not None and value.type == "array":
            items = [Data(word.text, word.tags) for child in value.named_children for word in self.words(child)]
            self.state.variables.pop(text, None)
            self.state.arrays[text] = tuple(items)
            return
        data = self.expander.data(value) if value is not None else NOTHING
        if any(child.type == "+=" for child in node.children):
            old = self.expander.value(text)
            data = Data(old.text + data.text, old.tags | data.tags)
        self.state.arrays.pop(text, None)
        into[text] = data

    def _declare(self, node: Node) -> Data:
        from interlock.analyst.shell.environment import assigned

        values: dict[str, Data] = {}
        if node.type == "variable_assignment":
            self._assign(node, values)
        elif node.type == "unset_command":
            for word in [word for child in node.named_children for word in self.words(child)]:
                self.state.variables[word.text] = NOTHING
                values[word.text] = NOTHING
        for child in node.named_children if node.type != "variable_assignment" else ():
            if child.type == "variable_assignment":
                self._assign(child, values)
            elif node.type == "declaration_command" and child.type not in ("variable_name", "word"):
                self._dynamic_declaration(child)
        self.state.variables.update(values)
        assigned(self, values, exported=node.type == "declaration_command")
        return NOTHING

    def _dynamic_declaration(self, child: Node) -> None:
        for word in self.words(child):
            name, equals, text = word.text.partition("=")
            if equals and name.isidentifier():
                self.state.variables[name] = Data(text, word.tags)
            elif not word.known:
                self.note("shell.dynamic_command")

    def _test(self, node: Node, stdin: Data) -> Data:
        for name in re.findall(
            r"([A-Za-z_]\w*)\s*(?:\+\+|--|[-+*/%&|^]?=[^=])", (node.text or b"").decode("utf-8", "replace")
        ):
            if node.children[0].type == "((":
                self.state.forget(name)
        waiting = list(node.named_children)
        while waiting:
            self.spend()
            one = waiting.pop()
            if one.type in ("command_substitution", "process_substitution"):
                self.output(one) if one.type == "command_substitution" else self.piped(one)
            elif one.type == "expansion":
                self.words(one)
            elif one.type == "command":
                self.run(one, stdin)
            else:
                waiting.extend(one.named_children)
        return NOTHING

    def _if(self, node: Node, stdin: Data) -> Data:
        found, ways = NOTHING, list[State]()
        before = self.state.fork()
        branched = closed = False
        for child in node.children:
            if child.type == "then":
                before, branched = self.state.fork(), True
            elif child.type in ("elif_clause", "else_clause"):
                ways.append(self.state)
                self.state = before.fork()
                found = combine(found, self.run(child, stdin))
                before = self.state.fork() if child.type == "elif_clause" else before
                closed = closed or child.type == "else_clause"
            elif child.is_named and child.type not in _SKIPPED:
                found = combine(found, self.run(child, stdin))
        for way in ways:
            self.state.join(way)
        if branched and not closed and node.type == "if_statement":
            self.state.join(before)
        return found

    def _while(self, node: Node, stdin: Data) -> Data:
        return self._loop(node, stdin)

    def _loop(self, node: Node, stdin: Data) -> Data:
        """A body that runs any number of times: what it assigns is not known when it starts."""
        before = self.state.fork()
        for name in _assigned_in(node):
            self.state.forget(name)
        found = NOTHING
        for child in node.named_children:
            if child.type not in _SKIPPED:
                found = combine(found, self.run(child, stdin))
        self.state.ended = False
        self.state.join(before)
        return found

    def _for(self, node: Node, stdin: Data) -> Data:
        variable, body = node.child_by_field_name("variable"), node.child_by_field_name("body")
        if variable is None or body is None:
            self.note("shell.syntax")
            return NOTHING
        name = (variable.text or b"").decode("utf-8", "replace")
        places = node.children_by_field_name("value")
        words = [word for place in places for word in self.words(place)]
        if not any(child.type == "in" for child in node.children):
            words = [Word(one.text, one.tags) for one in self.state.parameters or (unknown(),)]
        before = self.state.fork()
        for changed in _assigned_in(body):
            self.state.forget(changed)
        found = NOTHING
        if len(words) > MAX_LOOP:
            words = [Word(UNKNOWN, NONE.union(*(word.tags for word in words)))]
        for word in words:
            from interlock.analyst.shell.globs import as_value

            self.state.variables[name] = as_value(word)
            found = combine(found, self.run(body, stdin))
            self.state.ended = False
        self.state.join(before)
        return found

    def _case(self, node: Node, stdin: Data) -> Data:
        before, found = self.state.fork(), NOTHING
        value = node.child_by_field_name("value")
        if value is not None:
            self.expander.data(value)
        end = before.fork()
        for item in node.named_children:
            if item.type != "case_item":
                continue
            self.state = before.fork()
            patterns = item.children_by_field_name("value")
            for child in item.named_children:
                if child in patterns:
                    self.expander.data(child)
                else:
                    found = combine(found, self.run(child, stdin))
            end.join(self.state)
        self.state = end
        return found

    def _function(self, node: Node, _stdin: Data) -> Data:
        name, body = node.child_by_field_name("name"), node.child_by_field_name("body")
        if name is None or body is None:
            self.note("shell.syntax")
            return NOTHING
        self.state.functions[(name.text or b"").decode("utf-8", "replace")] = body
        return NOTHING


def combine(left: Data, right: Data) -> Data:
    """The output of one statement after another."""
    if not left.text:
        return Data(right.text, left.tags | right.tags)
    if not right.text:
        return Data(left.text, left.tags | right.tags)
    return Data((left.text + right.text)[:MAX_TEXT], left.tags | right.tags)


def _merged(left: Redirects | None, right: Redirects) -> Redirects:
    if left is None:
        return right
    return Redirects(right.stdin, right.targets + left.targets, right.words + left.words, right.into + left.into)


def _flattened(nodes: Sequence[Node]) -> list[Node]:
    """Redirections, with those that the grammar hangs below a here-document."""
    found: list[Node] = []
    for node in nodes:
        found.append(node)
        if node.type == "heredoc_redirect":
            found.extend(node.children_by_field_name("redirect"))
    return found


def _destinations(node: Node) -> list[Node]:
    """Where a redirection goes, then words that follow it; a number that touches the next one is its descriptor."""
    found = node.children_by_field_name("destination")
    following = node.next_sibling
    if (
        len(found) > 1
        and found[-1].type == "number"
        and following is not None
        and following.start_byte == found[-1].end_byte
    ):
        found.pop()
    return found


def _sign(node: Node) -> str:
    """The operator with its descriptor; ``<>`` arrives as an error inside."""
    text = "".join((child.text or b"").decode() for child in node.children if child.type == "file_descriptor")
    for child in node.children:
        if not child.is_named:
            text += child.type
        elif child.is_error:
            text += (child.text or b"").decode("utf-8", "replace").strip()
    return text


def _read_write(node: Node) -> bool:
    parent = node.parent
    return parent is not None and parent.type == "file_redirect" and (node.text or b"").strip() == b">"


def _apart(node: Node, end: int, start: int) -> bool:
    """Whether white space stands between two words, so that they are two in bash as well."""
    between = (node.text or b"")[end - node.start_byte : start - node.start_byte]
    return bool(_WHITE.intersection(between)) or between.replace(b"\\\n", b"") != b""


def _stripped(text: str, node: Node) -> str:
    if node.children and node.children[0].type == "<<-":
        return re.sub(r"^\t+", "", text, flags=re.MULTILINE)
    return text


def _assigned_in(node: Node) -> set[str]:
    """The variables that a body may set."""
    found: set[str] = set()
    waiting = [node]
    while waiting:
        one = waiting.pop()
        if one.type == "variable_assignment":
            name = one.child_by_field_name("name")
            found.add((name.text or b"").decode("utf-8", "replace").partition("[")[0] if name is not None else "")
        elif one.type in ("command", "postfix_expression", "unary_expression"):
            text = (one.text or b"").decode("utf-8", "replace")
            if text.startswith(("read ", "mapfile ", "readarray ", "let ", "printf -v")) or one.type != "command":
                found.update(re.findall(r"[A-Za-z_]\w*", text))
        waiting.extend(one.named_children)
    return found - {""}
