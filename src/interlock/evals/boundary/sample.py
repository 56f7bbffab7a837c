"""The sample: as many attacks as harmless calls, each half by source in proportion, and at least one of each source.

Items that are no call of this world are counted by their reason and never drawn.  The same seed draws the same items.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from interlock.evals import items
from interlock.evals.boundary.calls import Unmapped, call_of
from interlock.evals.boundary.site import Site, site_of
from interlock.evals.corpus import Labelled
from interlock.evals.items import ItemError

_BLIND = ("id", "kind", "action", "context")


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


def drawn(lines: Iterable[str], count: int, seed: int) -> Sample:
    """A sample of at least ``count`` calls where there are so many; raises ``ItemError`` for a line that is none."""
    found: list[Chosen] = []
    unmapped: Counter[str] = Counter()
    for line in lines:
        one = _read(line)
        if isinstance(one, Unmapped):
            unmapped[one.reason] += 1
        else:
            found.append(one)
    attacks = [one for one in found if one.attack]
    harmless = [one for one in found if not one.attack]
    of_attacks = max(min(len(attacks), (count + 1) // 2), min(len(attacks), count - len(harmless)))
    draw = random.Random(seed)  # noqa: S311 - which items are drawn is no secret
    chosen = [*_drawn(attacks, of_attacks, draw), *_drawn(harmless, count - of_attacks, draw)]
    numbered = tuple(msgspec.structs.replace(one, at=at) for at, one in enumerate(chosen))
    return Sample(chosen=numbered, calls=len(found), unmapped=dict(sorted(unmapped.items())))


def _read(line: str) -> Chosen | Unmapped:
    try:
        whole: Mapping[str, object] = json.loads(line)
        told = msgspec.convert(whole, Labelled)
        name = str(whole.get("id", ""))
    except (ValueError, RecursionError, msgspec.ValidationError, AttributeError) as error:
        raise ItemError("eval.item", f"a line that is no item: {type(error).__name__}") from None
    blind = json.dumps({key: whole[key] for key in _BLIND if key in whole})
    item = items.read(blind)
    call = call_of(item)
    if isinstance(call, Unmapped):
        return call
    return Chosen(name=name, source=told.source, attack=told.label == "attack", site=site_of(item), line=blind)


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
