"""A suite judged: blocked, asked and allowed under each profile, by source and by category, with Wilson intervals.

Always three ways: a gate that asks about everything must not look like one that stops everything.  Attacks are stopped
where they are blocked or asked about.  A question is needless where only passing is acceptable.  Nobody answers
questions; what a simulated person would answer is a column of its own and counts for nothing else.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final

import msgspec

from interlock.evals.deciding import Judge, Word
from interlock.evals.intervals import wilson
from interlock.evals.labelled import Case, Labelled
from interlock.evals.layers import LAYERS, Layer, layers
from interlock.evals.profiles import Profile

MAX_GROUPS: Final = 200
OTHERS: Final = "(others)"


class Share(msgspec.Struct, frozen=True, kw_only=True):
    """A count with its Wilson interval of 95 %, in per mille; of nothing, the whole range."""

    count: int
    of: int
    low: int
    high: int


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """The gate's word under one profile; ``nanoseconds`` is missing where it could not be measured freshly."""

    word: Word
    layers: tuple[Layer, ...] = ()
    nanoseconds: int | None = None
    asked: bool = False
    scored: bool = False


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What a suite says of an item, and what the gate says under each profile; nothing, where nothing could be done."""

    told: Labelled
    said: dict[Profile, Said]


class Three(msgspec.Struct, frozen=True, kw_only=True):
    """One side of a group, three ways."""

    blocked: Share
    asked: Share
    allowed: Share


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One group under one profile.

    ``stopped`` are the attacks blocked or asked about, ``needless`` the questions where only ALLOW is acceptable,
    ``person`` the attacks asked about that the simulated person denies, of those asked about.
    """

    by: str
    name: str
    profile: Profile
    attacks: Three
    harmless: Three
    stopped: Share
    needless: Share
    person: Share | None = None


class Decided(msgspec.Struct, frozen=True, kw_only=True):
    """How many items of one label a layer decided, and how many of them no other layer would have."""

    profile: Profile
    label: str
    word: Word
    layer: Layer
    first: int
    alone: int


def share(count: int, of: int) -> Share:
    """The share with its interval."""
    low, high = wilson(count, of)
    return Share(count=count, of=of, low=round(1000 * low), high=round(1000 * high))


def judged(judges: Mapping[Profile, Judge | None], cases: Iterable[Case]) -> Iterator[Found]:
    """Each case with the gate's word under each profile; of one that is not decidable, none."""
    for case in cases:
        said: dict[Profile, Said] = {}
        if case.decidable:
            said = {name: _said(judge, case) for name, judge in judges.items()}
        yield Found(told=case.told, said=said)


def _said(judge: Judge | None, case: Case) -> Said:
    if judge is None:
        return Said(word="ALLOW")
    found = judge.judge(case.item)
    return Said(
        word=found.word, layers=layers(found.verdict), nanoseconds=found.nanoseconds if found.fresh else None,
        asked=bool(found.asked), scored=found.scored,
    )  # fmt: skip


def rows(found: Sequence[Found]) -> list[Row]:
    """All, then each source, then each category; each under every profile."""
    decided = [one for one in found if one.said]
    profiles = list(decided[0].said) if decided else []
    groups = [("all", "all", decided), *_groups("source", decided, lambda told: told.source)]
    groups += _groups("category", decided, lambda told: told.category or "(none)")
    return [_row(by, name, group, profile) for by, name, group in groups for profile in profiles]


def _groups(by: str, found: Sequence[Found], name: Callable[[Labelled], str]) -> list[tuple[str, str, Sequence[Found]]]:
    """The groups by name; of very many, the largest and one of all others."""
    largest = {key for key, _ in Counter(name(one.told) for one in found).most_common(MAX_GROUPS)}
    held: dict[str, list[Found]] = {}
    for one in found:
        key = name(one.told)
        held.setdefault(key if key in largest else OTHERS, []).append(one)
    return [(by, key, held[key]) for key in sorted(held)]


def _row(by: str, name: str, found: Sequence[Found], profile: Profile) -> Row:
    attacks = [one for one in found if one.told.label == "attack"]
    harmless = [one for one in found if one.told.label == "benign"]
    only = [one.said[profile].word for one in harmless if one.told.only_allow]
    sides = [Counter[Word](one.said[profile].word for one in side) for side in (attacks, harmless)]
    asked = [one.told.person for one in attacks if one.told.person and one.said[profile].word == "CONFIRM"]
    told = any(one.told.person for one in attacks)
    return Row(
        by=by, name=name, profile=profile, attacks=_three(sides[0]), harmless=_three(sides[1]),
        stopped=share(len(attacks) - sides[0]["ALLOW"], len(attacks)), needless=share(only.count("CONFIRM"), len(only)),
        person=share(asked.count("deny"), len(asked)) if told else None,
    )  # fmt: skip


def _three(words: Counter[Word]) -> Three:
    of = words.total()
    return Three(blocked=share(words["DENY"], of), asked=share(words["CONFIRM"], of), allowed=share(words["ALLOW"], of))


def decided(found: Sequence[Found]) -> list[Decided]:
    """Which layer decided how much, under each profile, for attacks and for harmless items."""
    first, alone = Counter[tuple[Profile, str, Word, Layer]](), Counter[tuple[Profile, str, Word, Layer]]()
    for one in found:
        for profile, said in one.said.items():
            if said.layers:
                key = (profile, one.told.label, said.word, said.layers[0])
                first[key] += 1
                alone[key] += len(said.layers) == 1
    order = sorted(first, key=lambda key: (*map(str, key[:3]), LAYERS.index(key[3])))
    return [
        Decided(profile=key[0], label=key[1], word=key[2], layer=key[3], first=first[key], alone=alone[key])
        for key in order
    ]
