"""``policy starters``, ``observed`` and ``replay``: rules to begin with, and what rules would do before they count."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from pathlib import Path

import click
import msgspec

from interlock.artifact.verdict import Decision, Verdict
from interlock.decide.policy import PolicySet, compile_policies
from interlock.harness.core import Core
from interlock.harness.replaying import Replay, Replayed, replay, spoken_of
from interlock.harness.shadow import Sighting, sightings
from interlock.harness.workspace import policy_files
from interlock.surface.cli.console import console
from interlock.surface.cli.layout import table
from interlock.surface.cli.opening import reading
from interlock.surface.cli.root import Leaf
from interlock.surface.cli.starters import NAMES, starter
from interlock.surface.cli.visible import visible
from interlock.surface.cli.words import count, moment

_SHORT = 12


@click.command(cls=Leaf)
def observed() -> None:
    """List the decisions that the rules of policy/observe/ would have made otherwise.

    Those rules are evaluated and recorded with every plan and never change a verdict.
    """
    with reading() as core:
        found, erased = sightings(core)
    flips = [one for one in found if one.observed.flips]
    rows = [
        (
            moment(one.at),
            one.plan[:_SHORT],
            one.observed.decision.value,
            one.observed.verdict.decision.value,
            _rules(one),
        )
        for one in flips
    ]
    text = f"{count(len(found), 'decision')} observed, {len(flips)} would have been another"
    if rows:
        text = f"{table(('WHEN', 'PLAN', 'WAS', 'WOULD BE', 'RULES'), rows)}\n\n{text}"
    data = [
        {"at": one.at, "plan": one.plan, "was": one.observed.decision.value, "rules": _named(one.observed.verdict),
         "wouldBe": one.observed.verdict.decision.value, "policy": one.observed.policy}
        for one in flips
    ]  # fmt: skip
    console().data({"observed": len(found), "erased": erased, "flips": data}, text)


@click.command(cls=Leaf, name="replay")
@click.option(
    "--policy", "folder", metavar="DIR", type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A folder of rules; default: those in force.",
)  # fmt: skip
@click.option("--since", metavar="DATE", type=click.DateTime(["%Y-%m-%d"]), help="From this day on (UTC).")
def replayed(folder: Path | None, since: dt.datetime | None) -> None:
    """Run rules over the plans that were decided: what flips, what would have been asked, which rules are silent.

    Nothing is stored. Each plan says whether its decision's facts were kept, or which of them are today's.
    """
    start = int(since.replace(tzinfo=dt.UTC).timestamp() * 1000) if since is not None else 0
    with reading() as core:
        policy = _compiled(core, folder) if folder is not None else core.policy
        found = replay(core, policy, start)
    console().data(_data(found, policy), _text(found, policy))


@click.command(cls=Leaf, name="starters")
def starting() -> None:
    """List the starters: rules for a kind of agent, beside the baseline (interlock init --starter NAME)."""
    found = [starter(name) for name in NAMES]
    text = table(("STARTER", "WHAT"), [(one.name, one.about) for one in found])
    console().data({"starters": [msgspec.to_builtins(one) for one in found]}, text)


def _compiled(core: Core, folder: Path) -> PolicySet:
    cedar, rules = policy_files(folder)
    return compile_policies(cedar, rules, home=core.site.home, root=core.site.root)


def _silent(found: Replay, policy: PolicySet) -> list[str]:
    return sorted(set(policy.ids) - found.spoke)


def _asked(found: Replay) -> tuple[int, int]:
    was = sum(one.old.decision is Decision.STEP_UP for one in found.plans)
    return was, sum(one.new.decision is Decision.STEP_UP for one in found.plans)


def _groups(found: Replay) -> Counter[tuple[str, str, str, str]]:
    groups: Counter[tuple[str, str, str, str]] = Counter()
    for one in found.plans:
        if one.flips:
            groups.update((*spoken, one.old.decision.value, one.new.decision.value) for spoken in set(spoken_of(one)))
    return groups


def _data(found: Replay, policy: PolicySet) -> dict[str, object]:
    was, asked = _asked(found)
    keys, groups = ("action", "rule", "old", "new"), _groups(found).most_common()
    return {
        "policy": policy.digest, "replayed": len(found.plans), "exact": sum(not one.differs for one in found.plans),
        "leftOut": [{"plan": plan, "why": why} for plan, why in found.left_out.items()],
        "flips": [_flip(one) for one in found.plans if one.flips],
        "groups": [{**dict(zip(keys, key, strict=True)), "plans": times} for key, times in groups],
        "asked": {"old": was, "new": asked}, "silent": _silent(found, policy),
    }  # fmt: skip


def _flip(one: Replayed) -> dict[str, object]:
    return {
        "plan": one.plan, "at": one.at, "old": one.old.decision.value, "new": one.new.decision.value,
        "rules": sorted({rule for _, rule in spoken_of(one)}), "differs": list(one.differs),
    }  # fmt: skip


def _text(found: Replay, policy: PolicySet) -> str:
    flips = [one for one in found.plans if one.flips]
    was, asked = _asked(found)
    parts: list[str] = []
    if flips:
        grouped = [
            (old, new, action, rule, str(plans)) for (action, rule, old, new), plans in _groups(found).most_common()
        ]
        parts.append(table(("WAS", "WOULD BE", "ACTION", "RULE OR CODE", "PLANS"), grouped))
        plans = [(moment(one.at), one.plan[:_SHORT], one.old.decision.value, one.new.decision.value) for one in flips]
        parts.append(table(("WHEN", "PLAN", "WAS", "WOULD BE"), plans))
    lines = [
        f"{count(len(found.plans), 'plan')} replayed, {len(flips)} would be decided otherwise",
        f"asked a person: {was} then, {asked} with these rules",
    ]
    silent = _silent(found, policy)
    if silent:
        lines.append(f"no say in any of them: {visible(', '.join(silent))}")
    differ = Counter(name for one in found.plans for name in one.differs)
    lines += [f"{count(times, 'plan')} with today's {name}" for name, times in sorted(differ.items())]
    lines += [
        f"{count(times, 'plan')} left out: {_WHY[why]}"
        for why, times in sorted(Counter(found.left_out.values()).items())
    ]
    return "\n\n".join([*parts, "\n".join(lines)])


_WHY = {
    "manifests": "a manifest has changed since",
    "modified": "rules could not give it the form that they want",
}


def _named(verdict: Verdict) -> list[str]:
    return sorted({one.rule for one in verdict.reasons if one.decision is verdict.decision and one.rule})


def _rules(one: Sighting) -> str:
    return ", ".join(_named(one.observed.verdict))
