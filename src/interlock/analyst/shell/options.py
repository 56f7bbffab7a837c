"""Reading of arguments by a model: which words are options, which their values, and which operands.

After POSIX.1-2017 12.2 and getopt_long(3): clusters of letters, attached and separate values, ``--name=value``,
unambiguous beginnings of long options, and ``--``.  ``single`` has long options with one dash (find, java), ``plain``
no options at all, ``bundle`` a first word of letters without a dash (tar, ps).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from interlock.analyst.shell.models import Model
from interlock.analyst.shell.words import UNKNOWN, Word


@dataclass(slots=True)
class Arguments:
    """What stood on the line, under the model of the innermost subcommand."""

    model: Model
    path: list[str]
    given: set[str] = field(default_factory=set[str])
    values: list[tuple[str, str, Word]] = field(default_factory=list[tuple[str, str, Word]])
    operands: list[Word] = field(default_factory=list[Word])
    uncertain: bool = False
    lost: str = ""

    def value(self, name: str, role: str, word: Word) -> None:
        """One option with its value; rules may ask for both at once, as ``--pid=host``."""
        self.given.add(f"{name}={word.text}")
        self.values.append((name, role, word))

    def has(self, options: str) -> bool:
        """Whether one of the options was given, or the beginning of a long one."""
        for one in options.split():
            if one in self.given:
                return True
            if one.startswith("--") and any(
                len(given) > 3 and one.startswith(given) and given not in _TABLES.named(self.model)
                for given in self.given
            ):
                return True
        return False


class _ById:
    """Tables of values by model, which live as long as the models."""

    def __init__(self) -> None:
        self.tables: dict[int, tuple[Model, dict[str, str], frozenset[str]]] = {}
        self.names: dict[int, frozenset[str]] = {}

    def of(self, model: Model) -> tuple[dict[str, str], frozenset[str]]:
        """Roles by option, and the options whose value is optional."""
        found = self.tables.get(id(model))
        if found is None or found[0] is not model:
            table = {name: role for names, role in model.values.items() for name in names.split()}
            found = (model, table, frozenset(model.optional.split()))
            self.tables[id(model)] = found
        return found[1], found[2]

    def named(self, model: Model) -> frozenset[str]:
        """Every option that the model speaks of, which is itself and no beginning of another."""
        found = self.names.get(id(model))
        if found is None:
            texts = [
                *model.values,
                model.optional,
                *(rule.any for rule in model.when),
                *(rule.absent for rule in model.when),
            ]
            found = frozenset(name.partition("=")[0] for text in texts for name in text.split())
            self.names[id(model)] = found
        return found


_TABLES = _ById()


def arguments(model: Model, name: str, words: Sequence[Word]) -> Arguments:
    """The words after the command's name, sorted."""
    found = Arguments(model, [name])
    table, optional = _TABLES.of(model)
    stops = _stops(model)
    index, count = 0, len(words)
    if model.style == "bundle" and words and words[0].text[:1] not in ("-", ""):
        index = _bundle(found, words, table)
    while index < count:
        word = words[index]
        text = word.text
        index += 1
        found.uncertain = found.uncertain or (word.fields and text[:1] in ("", UNKNOWN))
        if model.style == "plain" or len(text) < 2 or text[0] != "-":
            child = _child(found.model, text) if found.model.sub and not found.operands else None
            if child is not None:
                found.model = child
                found.path.append(text)
                inner, more = _TABLES.of(child)
                table, optional = {**table, **inner}, optional | more
                stops = _stops(child)
                model = child if child.style != "gnu" else model
                continue
            if found.model.sub and not found.operands and not found.lost:
                found.lost = text
            found.operands.append(word)
            if stops and len(found.operands) >= stops:
                found.operands.extend(words[index:])
                break
            continue
        if text == "--":
            found.given.add("--")
            rest = list(words[index:])
            if found.model.sub and not found.operands and rest:
                found.lost = rest[0].text
            found.operands.extend(rest)
            break
        index = _option(found, word, words, index, table, optional)
    return found


def _stops(model: Model) -> int:
    """After how many operands everything belongs to the command that is run; 0 for never."""
    for position, role in enumerate(model.operands):
        if role.rstrip("*!+") in ("command", "shells", "remote", "inside", "image-command", "assignments"):
            return position + 1
    return 1 if model.stop else 0


def _child(model: Model, text: str) -> Model | None:
    found = model.sub.get(text)
    if found is None:
        for names, child in model.sub.items():
            if " " in names and text in names.split():
                return child
    return found


def _option(
    found: Arguments, word: Word, words: Sequence[Word], index: int, table: dict[str, str], optional: frozenset[str]
) -> int:
    text = word.text
    name, equals, value = text.partition("=")
    if text.startswith("--") or found.model.style == "single":
        name = _whole(name, table) if name not in table else name
        found.given.add(name)
        role = table.get(name)
        if equals:
            found.value(name, role or "skip", word._replace(text=value, fields=False))
        elif role is not None and name not in optional and index < len(words):
            found.value(name, role, words[index])
            return index + 1
        return index
    if text in table and text not in optional:
        found.given.add(text)
        if index < len(words):
            found.value(text, table[text], words[index])
        return index + 1
    return _cluster(found, word, words, index, table, optional)


def _cluster(
    found: Arguments, word: Word, words: Sequence[Word], index: int, table: dict[str, str], optional: frozenset[str]
) -> int:
    letters = word.text[1:]
    for position, letter in enumerate(letters):
        name = "-" + letter
        if letter == UNKNOWN:
            found.uncertain = True
            return index
        found.given.add(name)
        role = table.get(name)
        if name in optional:
            if role is not None and position + 1 < len(letters):
                found.value(name, role, word._replace(text=letters[position + 1 :]))
            return index
        if role is not None:
            if position + 1 < len(letters):
                found.value(name, role, word._replace(text=letters[position + 1 :]))
                return index
            if index < len(words):
                found.value(name, role, words[index])
            return index + 1
    return index


def _whole(name: str, table: dict[str, str]) -> str:
    """An unambiguous beginning of a long option means the option."""
    if len(name) < 5 or not name.startswith("--"):
        return name
    meant = [one for one in table if one.startswith(name)]
    return meant[0] if len(meant) == 1 else name


def _bundle(found: Arguments, words: Sequence[Word], table: dict[str, str]) -> int:
    """``tar xzf FILE``: letters first, then their values in order."""
    index = 1
    for letter in words[0].text:
        name = "-" + letter
        found.given.add(name)
        if name in table and index < len(words):
            found.value(name, table[name], words[index])
            index += 1
    return index
