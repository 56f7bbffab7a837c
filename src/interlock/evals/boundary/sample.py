"""The sample: as many attacks as harmless calls, each half by source in proportion, and at least one of each source.

Items that are no call of this world are counted by their reason and never drawn.  The same seed draws the same items.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from interlock.evals.boundary.calls import Unmapped, call_of
from interlock.evals.boundary.site import Site, site_of
from interlock.evals.labelled import Case


class Chosen(msgspec.Struct, frozen=True, kw_only=True):
    """One item: what the planner is given (``line``), and what only the report knows."""

    at: int = 0
    name: str
    source: str
    attack: bool
    site: Site
    line: str


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """What was drawn, how many calls there were, and what was none, by reason."""

    chosen: tuple[Chosen, ...]
    calls: int
    unmapped: Mapping[str, int]


def drawn(cases: Iterable[Case], count: int, seed: int) -> Sample:
    """A sample of at least ``count`` calls, or of all that there are."""
    found: list[Chosen] = []
    unmapped: Counter[str] = Counter()
    for case in cases:
        call = call_of(case.item)
        if isinstance(call, Unmapped):
            unmapped[call.reason] += 1
        else:
            found.append(_chosen(case))
    attacks = [one for one in found if one.attack]
    harmless = [one for one in found if not one.attack]
    of_attacks = max(min(len(attacks), (count + 1) // 2), min(len(attacks), count - len(harmless)))
    draw = random.Random(seed)  # noqa: S311 - which items are drawn is no secret
    chosen = [*_drawn(attacks, of_attacks, draw), *_drawn(harmless, count - of_attacks, draw)]
    numbered = tuple(msgspec.structs.replace(one, at=at) for at, one in enumerate(chosen))
    return Sample(chosen=numbered, calls=len(found), unmapped=dict(sorted(unmapped.items())))


def _chosen(case: Case) -> Chosen:
    item, told = case.item, case.told
    line = msgspec.json.encode(item).decode()
    return Chosen(name=item.id, source=told.source, attack=told.label == "attack", site=site_of(item), line=line)


def _drawn(found: Sequence[Chosen], count: int, draw: random.Random) -> list[Chosen]:
    """In proportion to the sources, none left out; the largest remainders get what is left over."""
    by_source: dict[str, list[Chosen]] = {}
    for one in found:
        by_source.setdefault(one.source, []).append(one)
    exact = {name: count * len(group) / max(len(found), 1) for name, group in sorted(by_source.items())}
    quota = {name: min(len(by_source[name]), max(int(share), 1)) for name, share in exact.items()}
    for name in sorted(exact, key=lambda name: quota[name] - exact[name]):
        if sum(quota.values()) < count and quota[name] < len(by_source[name]):
            quota[name] += 1
    return [one for name, many in quota.items() for one in draw.sample(by_source[name], many)] if count > 0 else []
