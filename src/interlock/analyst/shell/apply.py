"""What a command does, from its model: each word plays its role, then what the command does by itself.

Reading roles come first, because what was read may be written or sent by the others.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeAlias

from interlock.analyst.shell import code
from interlock.analyst.shell.files import delete, read, send, write
from interlock.analyst.shell.models import Model, Rule
from interlock.analyst.shell.options import Arguments, arguments
from interlock.analyst.shell.paths import meanings_of
from interlock.analyst.shell.signals import vocabulary
from interlock.analyst.shell.words import NONE, UNKNOWN, Data, Word, unknown
from interlock.artifact.action import Effect

if TYPE_CHECKING:
    from interlock.analyst.shell.walk import Walker

from interlock.analyst.shell.roles import play
from interlock.analyst.shell.use import Use

Played: TypeAlias = tuple[str, Word, list[Word] | None]
_READS = frozenset(("read", "upload", "body", "send", "url", "fetch", "link"))


def apply(walker: Walker, name: str, model: Model, words: list[Word], stdin: Data) -> Data:
    """Claim what the command does; returns what it writes.  A folder that it changes to is its own."""
    folders = walker.state.folders
    found = _apply(walker, name, model, words, stdin)
    walker.state.folders = folders
    return found


def _apply(walker: Walker, name: str, model: Model, words: list[Word], stdin: Data) -> Data:
    from interlock.analyst.shell.handlers import HANDLERS

    found = arguments(model, name, words)
    use = Use(walker, found, stdin)
    if _asks_for_help(found) or _only_tells(found):
        return unknown(NONE)
    if found.uncertain and (found.model.runs or model.runs):
        walker.note("shell.dynamic_argument")
    model = found.model
    if found.lost and model.sub and not model.verbs and model.unknown != "self":
        return _lost(use)
    handler = HANDLERS.get(model.handler)
    if handler is not None:
        result = handler(use, words)
        if result is not None:
            return result
    return perform(use)


def perform(use: Use) -> Data:
    """Roles, effects, input and output of the model."""
    model, walker = use.model, use.walker
    rules = use.rules()
    use.recursive = model.recursive or any(rule.recursive for rule in rules)
    roles = model.operands
    for rule in rules:
        roles = rule.operands if rule.operands is not None else roles
    _play_all(use, roles)
    if model.verbs:
        _verb(use)
    _claim(walker, model)
    for rule in rules:
        _claim(walker, rule)
    return _flow(use, rules)


def _play_all(use: Use, roles: tuple[str, ...]) -> None:
    """Every word in its role: those that read or send first, because what they read is what the others write."""
    played: list[Played] = [(role.rstrip("*!+"), word, None) for _, role, word in use.found.values]
    played += assign(roles, use.found.operands)
    for role, word, rest in played:
        if role == "skip":
            _meant(use, word)
        elif role in _READS:
            play(use, role, word, rest)
    for role, word, rest in played:
        if role != "skip" and role not in _READS:
            play(use, role, word, rest)


def _claim(walker: Walker, one: Model | Rule) -> None:
    """What a model or a rule says by itself."""
    for effect in one.effects:
        _effect(walker, effect)
    for signal in one.signals:
        walker.claims.signal(signal)
    for opaque in one.opaque:
        walker.note(opaque)


def _meant(use: Use, word: Word) -> None:
    """A word without a role that names a file of meaning is taken to be read."""
    text = word.text
    if text[:1] in ("/", "~") and meanings_of(text, "read", use.walker.state.home, False):
        use.reading(word)


def _effect(walker: Walker, effect: str) -> None:
    access, kind, what = effect.split(" ", 2)
    if kind != "file":
        walker.claims.touch(Effect(access), kind, what, open=what == "*")
        return
    word = Word(walker.state.home + what[1:] if what.startswith("~") else what)
    match access:
        case "read":
            read(walker, word, recursive=True)
        case "delete":
            delete(walker, word, recursive=True, whole=False)  # Some of what is there, or the model would name it.
        case _:
            write(walker, word, unknown(), recursive=True)


def _flow(use: Use, rules: list[Rule]) -> Data:
    model, walker, stdin = use.model, use.walker, use.stdin
    into, output = model.input, model.output
    for rule in rules:
        into, output = rule.input or into, rule.output or output
    arguments_tags = NONE.union(
        *(word.tags for word in use.found.operands), *(word.tags for _, _, word in use.found.values)
    )
    if into == "send":
        use.sent |= stdin.tags | use.read
    elif into == "apply" and "download" in stdin.tags | use.read:
        walker.claims.signal("download.applied")
    elif into.startswith("code:"):
        ran = code.run(walker, into[5:], stdin, NONE)
        use.out = ran if use.out is None else use.out
    if use.sent:
        send(walker, use.sent, use.hosts[0] if len(use.hosts) == 1 else "")
    if use.out is not None:
        return use.out
    tags: set[str] = set()
    if "pass" in output:
        tags.update(use.read | arguments_tags | (stdin.tags if into != "ignore" else NONE))
    tags.update(set(output.split()) - {"pass", "none", "same"})
    text = UNKNOWN
    if "same" in output:
        source = use.content if use.content is not None else stdin
        text = source.text
        tags.update(source.tags)
    return Data(text, frozenset(tags))


def assign(roles: tuple[str, ...], operands: list[Word]) -> list[Played]:
    """Which operand plays which role: in order, ``*`` for all that follow, ``!`` for the last one."""
    found: list[Played] = []
    words = list(operands)
    tail: list[Played] = []
    wanted = list(roles)
    if wanted and "!" in wanted[-1]:
        last = wanted.pop()
        if len(words) > 1 or (words and not wanted):
            tail.append((last.rstrip("*!+"), words.pop(), None))
    for index, word in enumerate(words):
        role = wanted[min(index, len(wanted) - 1)] if wanted else "skip"
        if index >= len(wanted) and wanted and "*" not in wanted[-1]:
            role = "skip"
        bare = role.rstrip("*!+")
        if bare in ("command", "shells", "remote", "inside", "assignments", "image-command"):
            found.append((bare, word, words[index:]))
            break
        found.append((bare, word, None))
    return found + tail


def _verb(use: Use) -> None:
    """A cloud's command line: the first word that is a known verb says what is done to the thing before or after it."""
    model, walker = use.model, use.walker
    table = {verb: access for access, verbs in model.verbs.items() for verb in verbs.split()}
    texts = [word.text for word in use.found.operands]
    program = use.found.path[0]
    for index, text in enumerate(texts[:6]):
        parts = [text, *re.split(r"[-:_]", text)]
        access = next((table[part] for part in parts if part in table), None)
        if access is not None:
            what = ":".join([*use.found.path, *texts[: index + 1]])
            walker.claims.touch(Effect(access), model.kind, what)
            if access == "delete" and f"{model.kind}.destroy" in vocabulary():
                walker.claims.signal(f"{model.kind}.destroy")
            return
    if not texts or texts[0] == "help" or texts[-1] == "help":
        return
    walker.claims.touch(Effect.EXECUTE, model.kind, f"{program}:*", open=True)
    if model.unknown != "program":
        walker.note("shell.unknown_subcommand")


def _lost(use: Use) -> Data:
    """A subcommand without a model."""
    from interlock.analyst.shell.invoke import unmodelled

    for _, role, word in use.found.values:
        if role != "skip":
            play(use, role, word, None)
    if use.model.unknown == "program":
        return unmodelled(use.walker, f"{use.found.path[0]}-{use.found.lost}", use.found.operands[1:], use.stdin)
    use.walker.note("shell.unknown_subcommand")
    return unknown(use.stdin.tags)


def _only_tells(found: Arguments) -> bool:
    """``--help`` and ``--version`` end a program after GNU Coding Standards, 4.8; one that takes a value is another."""
    told = found.given & {"--help", "--version"} - {name for name, _, _ in found.values}
    return bool(told) and not found.model.runs


def _asks_for_help(found: Arguments) -> bool:
    """``--help`` or ``--version`` and nothing else but subcommands."""
    asked = found.given & {"--help", "--version", "-h", "-help", "-V", "-version"}
    if not asked or len(found.given) > 1 or found.values or found.operands:
        return False
    return not asked <= {"-h", "-V"} or bool(found.model.sub) or len(found.path) > 1
