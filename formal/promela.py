"""Reads the subset of Promela that formal/life.pml is written in and turns it into a Python successor function.

The subset: ``#include``, ``#define``, ``#ifdef``; global scalars and arrays with constant indices; ``inline``
rules whose body is one ``d_step`` that begins with a guard; deterministic ``if``; ``ltl NAME { [] (E) }``; one
process that is one ``do`` loop of rule calls.  Whatever lies outside raises ``ModelError``, so that a construct
which SPIN would understand differently is never guessed at.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

State = tuple[int, ...]
Successors = Callable[[State], list[tuple[int, State]]]
TOKEN = re.compile(r"\s*(?:([A-Za-z_]\w*)|(\d+)|(::|->|&&|\|\||==|!=|<=|>=|\[\]|[-+*<>!=(){}\[\];,:#/&|.]))")
BINARY = (
    {"||": "or"},
    {"&&": "and"},
    {t: t for t in ("==", "!=", "<", ">", "<=", ">=")},
    {t: t for t in "+-"},
    {"*": "*"},
)
TYPES = ("bit", "byte", "mtype")


class ModelError(Exception):
    """The file uses something outside the subset."""


@dataclass(frozen=True, slots=True)
class Macro:
    """A ``#define`` or an ``inline``: parameters (None: not a call) and body tokens."""

    params: tuple[str, ...] | None
    body: tuple[str, ...]


@dataclass(slots=True)
class Model:
    """A compiled model: ``names`` and ``initial`` give the state's layout, ``rules`` the name of each transition."""

    names: list[str] = field(default_factory=list)
    initial: list[int] = field(default_factory=list)
    mtypes: dict[str, int] = field(default_factory=dict)
    rules: list[str] = field(default_factory=list)
    properties: dict[str, Callable[[State], bool]] = field(default_factory=dict)
    successors: Successors = field(default=lambda _state: [])


def tokenize(text: str) -> list[str]:
    """Split into tokens; raises ModelError at the first character that is none."""
    tokens, at, text = [], 0, text.rstrip()
    while at < len(text):
        match = TOKEN.match(text, at)
        if match is None:
            raise ModelError(f"no token at {text[at : at + 20]!r}")
        tokens.append(match.group().strip())
        at = match.end()
    return tokens


def lines_of(path: Path, defined: dict[str, Macro]) -> list[str]:
    """Preprocess: strip comments, follow includes, keep what the conditions select, collect macros."""
    text = re.sub(r"/\*.*?\*/", "", path.read_text(encoding="utf-8"), flags=re.DOTALL).replace("\\\n", " ")
    kept, live = [], [True]
    for line in text.splitlines():
        word, _, rest = line.strip().partition(" ")
        if word in {"#ifdef", "#ifndef"}:
            live.append(live[-1] and (rest.strip() in defined) == (word == "#ifdef"))
        elif word == "#else":
            live[-1] = live[-2] and not live[-1]
        elif word == "#endif":
            live.pop()
        elif live[-1] and word == "#include":
            kept += lines_of(path.parent / rest.strip().strip('"'), defined)
        elif live[-1] and word == "#define":
            define(rest, defined)
        elif live[-1]:
            kept.append(line)
    return kept


def define(text: str, defined: dict[str, Macro]) -> None:
    """Record one ``#define``; as in C, a parenthesis directly after the name makes it a call."""
    match = re.match(r"(\w+)(?:\(([^)]*)\))?\s*(.*)", text)
    if match is None:
        raise ModelError(f"#define {text}")
    params = None if match[2] is None else tuple(p.strip() for p in match[2].split(","))
    defined[match[1]] = Macro(params, tuple(tokenize(match[3])))


def arguments(tokens: list[str], at: int) -> tuple[list[list[str]], int]:
    """The comma-separated arguments of the call whose ``(`` stands at ``at``, and where the call ends."""
    args: list[list[str]] = [[]]
    depth = 0
    for index in range(at, len(tokens)):
        lexeme = tokens[index]
        depth += (lexeme == "(") - (lexeme == ")")
        if depth == 0:
            return ([] if args == [[]] else args), index + 1
        if lexeme == "," and depth == 1:
            args.append([])
        elif not (lexeme == "(" and depth == 1):
            args[-1].append(lexeme)
    raise ModelError("unbalanced parentheses")


def expand(tokens: list[str], macros: dict[str, Macro]) -> list[str]:
    """Replace every macro until none is left."""
    out: list[str] = []
    at = 0
    while at < len(tokens):
        macro = macros.get(tokens[at])
        if macro is None:
            out.append(tokens[at])
            at += 1
        elif macro.params is None:
            out += expand(list(macro.body), macros)
            at += 1
        else:
            args, at = arguments(tokens, at + 1)
            out += expand(substitute(macro, args), macros)
    return out


def substitute(macro: Macro, args: list[list[str]]) -> list[str]:
    """The macro's body with its parameters replaced by the arguments."""
    given = dict(zip(macro.params or (), args, strict=True))
    return [lexeme for part in macro.body for lexeme in given.get(part, [part])]


class Parser:
    """Recursive descent over expanded tokens; everything it writes is Python."""

    def __init__(self, tokens: list[str], model: Model) -> None:
        self.tokens, self.at, self.model = tokens, 0, model

    def peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def take(self, *expected: str) -> str:
        lexeme = self.peek()
        if expected and lexeme not in expected:
            raise ModelError(f"expected {expected}, found {self.tokens[self.at : self.at + 8]}")
        self.at += 1
        return lexeme

    def expression(self, level: int = 0) -> str:
        if level == len(BINARY):
            return self.unary()
        left = self.expression(level + 1)
        while self.peek() in BINARY[level]:
            left = f"({left} {BINARY[level][self.take()]} {self.expression(level + 1)})"
        return left

    def unary(self) -> str:
        if self.peek() == "!":
            self.take()
            return f"(not {self.unary()})"
        if self.peek() == "(":
            self.take()
            inner = self.expression()
            self.take(")")
            return inner
        return self.take() if self.peek().isdigit() else self.name()

    def name(self) -> str:
        """A variable, an element with a constant index, or an mtype's constant."""
        name = self.take()
        if name in self.model.mtypes:
            return str(self.model.mtypes[name])
        if self.peek() == "[":
            self.take()
            name += f"_{constant(self.expression())}"
            self.take("]")
        if name not in self.model.names:
            raise ModelError(f"unknown name {name}")
        return name

    def statements(self, *ends: str) -> list[str]:
        """Statements up to one of ``ends``, which is left unread."""
        lines: list[str] = []
        while self.peek() not in ends:
            lines += self.statement()
            while self.peek() == ";":
                self.take()
        return lines or ["pass"]

    def statement(self) -> list[str]:
        if self.peek() == "skip":
            self.take()
            return []
        if self.peek() == "if":
            return self.choice()
        target = self.name()
        self.take("=")
        return [f"{target} = int({self.expression()})"]

    def choice(self) -> list[str]:
        """``if :: c -> a :: else -> b fi``: two branches, so that it is deterministic by form."""
        self.take("if")
        self.take("::")
        lines = [f"if {self.expression()}:"]
        self.take("->")
        lines += indent(self.statements("::"))
        for expected in ("::", "else", "->"):
            self.take(expected)
        lines += ["else:", *indent(self.statements("fi"))]
        self.take("fi")
        return lines

    def rule(self) -> tuple[str, list[str]]:
        """``d_step { guard -> statements }`` as guard and lines."""
        self.take("d_step")
        self.take("{")
        guard = self.expression()
        self.take("->")
        lines = self.statements("}")
        self.take("}")
        if self.peek():
            raise ModelError(f"after a rule: {self.peek()}")
        return guard, lines


def indent(lines: list[str]) -> list[str]:
    return ["    " + line for line in lines]


def constant(expression: str) -> int:
    """The value of a constant expression over digits and arithmetic."""
    if not re.fullmatch(r"[\d+*() -]+", expression):
        raise ModelError(f"not a constant index: {expression}")
    return int(eval(expression))  # noqa: S307 - digits and arithmetic only, as the line above checks


def read(path: Path, mutant: int | None = None) -> Model:
    """Compile the model, with the mistake ``MUTANT_<mutant>`` seeded if one is named; raises ModelError."""
    macros = {} if mutant is None else {f"MUTANT_{mutant}": Macro(None, ())}
    tokens = tokenize("\n".join(lines_of(path, macros)))
    model, inlines, calls, claims = Model(), {}, [], {}
    parser = Parser(expand(tokens, macros), model)
    while parser.peek():
        word = parser.take()
        if word in TYPES:
            declare(parser, word)
        elif word == "inline":
            name, args = parser.take(), arguments(parser.tokens, parser.at)
            parser.at = args[1]
            inlines[name] = Macro(tuple(a[0] for a in args[0]), tuple(block(parser)))
        elif word == "ltl":
            name = parser.take()
            claims[name] = block(parser)
        elif word == "active":
            calls = loop(parser)
        elif word != ";":
            raise ModelError(f"unknown declaration {word}")
    build(model, inlines, calls, claims)
    return model


def declare(parser: Parser, kind: str) -> None:
    """One declaration: the constants of an mtype, a scalar, or an array with one value for all."""
    model = parser.model
    if kind == "mtype" and parser.peek() == "=":
        parser.take()
        names = [lexeme for lexeme in block(parser) if lexeme != ","]
        model.mtypes.update({name: index + 1 for index, name in enumerate(names)})
        return
    name, size, value = parser.take(), None, 0
    if parser.peek() == "[":
        parser.take()
        size = constant(parser.take())
        parser.take("]")
    if parser.peek() == "=":
        parser.take()
        value = constant(parser.expression())
    names = [name] if size is None else [f"{name}_{index}" for index in range(size)]
    model.names += names
    model.initial += [value] * len(names)


def block(parser: Parser) -> list[str]:
    """The tokens between a brace and its partner."""
    parser.take("{")
    start, depth = parser.at, 1
    while depth:
        lexeme = parser.take()
        if not lexeme:
            raise ModelError("unbalanced braces")
        depth += (lexeme == "{") - (lexeme == "}")
    return parser.tokens[start : parser.at - 1]


def loop(parser: Parser) -> list[tuple[str, list[list[str]]]]:
    """The calls of ``active proctype NAME() { end: do :: call … od }``."""
    for expected in ("proctype", "", "(", ")", "{", "end", ":", "do"):
        parser.take(*([expected] if expected else []))
    calls = []
    while parser.take("::", "od") == "::":
        name = parser.take()
        args, parser.at = arguments(parser.tokens, parser.at)
        calls.append((name, args))
    parser.take("}")
    return calls


def build(
    model: Model, inlines: dict[str, Macro], calls: list[tuple[str, list[list[str]]]], claims: dict[str, list[str]]
) -> None:
    """Write the Python text of all rules and properties, and compile it."""
    layout = ", ".join(model.names)
    source = ["def successors(state):", f"    {layout} = state", "    out = []"]
    for index, (name, args) in enumerate(calls):
        model.rules.append(f"{name}({', '.join(''.join(a) for a in args)})")
        guard, lines = Parser(substitute(inlines[name], args), model).rule()
        lines += [f"out.append(({index}, ({layout})))", f"{layout} = state"]
        source += [f"    if {guard}:", *indent(indent(lines))]
    source.append("    return out")
    for name, tokens in claims.items():
        parser = Parser(tokens, model)
        parser.take("[]")
        source += [f"def {name}(state):", f"    {layout} = state", f"    return bool({parser.expression()})"]
    space: dict[str, Callable[..., object]] = {}
    exec("\n".join(source), {"__builtins__": {"int": int, "bool": bool}}, space)  # noqa: S102 - our own text, parsed above
    model.successors = space["successors"]  # type: ignore[assignment]
    model.properties = {name: space[name] for name in claims}  # type: ignore[misc]
