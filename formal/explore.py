"""An explicit-state model checker in one page: breadth first, so that a counterexample is a shortest one.

Checks invariants of a model that ``promela.read`` compiled.  Needs nothing but Python; SPIN reads the same file
and must find the same number of states and the same verdicts (formal/check.py compares them).
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from promela import Model, State


@dataclass(slots=True)
class Result:
    """What an exploration found: states visited, edges taken, for each broken property a shortest trace of rules."""

    states: int = 0
    traces: dict[str, list[str]] = field(default_factory=dict)
    fired: set[str] = field(default_factory=set)
    moves: set[tuple[str, str]] = field(default_factory=set)


def explore(model: Model, until: str | None = None) -> Result:
    """Visit every reachable state; with ``until``, stop at the first state that breaks that property."""
    result, initial = Result(), tuple(model.initial)
    parents: dict[State, tuple[State, int] | None] = {initial: None}
    queue, pending = deque([initial]), dict(model.properties)
    fired: set[int] = set()
    moved: set[tuple[int, int]] = set()
    statuses = [i for i, name in enumerate(model.names) if name.startswith("status_")]
    while queue:
        state = queue.popleft()
        for name in [name for name, holds in pending.items() if not holds(state)]:
            result.traces[name] = trace(model, parents, state)
            del pending[name]
        if until in result.traces:
            break
        for rule, after in model.successors(state):
            fired.add(rule)
            moved.update((state[i], after[i]) for i in statuses if state[i] != after[i])
            if after not in parents:
                parents[after] = (state, rule)
                queue.append(after)
    words = {value: name.replace("_", "-") for name, value in model.mtypes.items()}
    result.states = len(parents)
    result.fired = {model.rules[index] for index in fired}
    result.moves = {(words[before], words[after]) for before, after in moved}
    return result


def trace(model: Model, parents: dict[State, tuple[State, int] | None], state: State) -> list[str]:
    """The rules that lead from the initial state to ``state``."""
    steps = []
    while (origin := parents[state]) is not None:
        state, rule = origin
        steps.append(model.rules[rule])
    return steps[::-1]
