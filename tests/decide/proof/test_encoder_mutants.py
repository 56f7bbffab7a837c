"""Random small mistakes in the encoder: the differential tests, or the invariants, notice nearly all of them.

Each mistake is loaded in a fork, which compares with what the engine and the real checks said before it was made.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import importlib.util
import os
import random
import signal
import sys
import types
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.decide.proof.test_translation import EVERYTHING, SITE
from tests.support.mutation import Mutant, mutants, mutated

from interlock.decide.globs import matches
from interlock.decide.policy import PolicyFileError, PolicySet, compile_policies
from interlock.decide.proof import floor
from interlock.decide.proof.situation import Situation
from interlock.decide.proof.translate import DENIED
from support import mistakes
from support.random_policies import HOME, ROOT, policies, situations

PACKAGE = "interlock.decide.proof"
FOLDER = Path(floor.__file__).parent
FILES = ("facts", "floor", "formula", "languages", "translate")
BAR, EACH, SECONDS = 0.8, 14, 60  # Some mistakes change nothing: a bound of work, a message, a copy less.
INVARIANTS = resources.files(PACKAGE).joinpath("baseline.yaml").read_text("utf-8")
_QUIET = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]

_PATHS = st.lists(st.sampled_from(("a", "b", "ab", "x.pem", "home", "u")), max_size=4).map(
    lambda parts: "/" + "/".join(parts)
)
_GLOBS = st.builds(
    lambda head, parts: head + "/".join(parts),
    st.sampled_from(("", "/", "~/")),
    st.lists(st.sampled_from(("**", "*", "a", "b?", "*.pem", "a**", "ab")), min_size=1, max_size=3),
)
Asked = list[tuple[PolicySet, list[tuple[Situation, int]]]]


def corpus(sets: int, alone: int) -> tuple[Asked, list[tuple[Situation, set[int], int]], list[tuple[str, str, bool]]]:
    """Random policies with requests and the engine's answers; random situations and what the real checks say; globs."""
    asked: Asked = []
    stood: list[tuple[Situation, set[int], int]] = []
    globs: list[tuple[str, str, bool]] = []

    @settings(max_examples=sets, deadline=None, suppress_health_check=_QUIET, derandomize=True, database=None)
    @given(policies(), st.lists(situations(), min_size=6, max_size=6))
    def ask(found: PolicySet, requests: list[Situation]) -> None:
        answers = [found.evaluate(one.request) for one in requests]
        levels = [floor.level_of(answer.decision, answer.approvals) for answer in answers]
        asked.append((found, list(zip(requests, levels, strict=True))))

    @settings(max_examples=alone, deadline=None, suppress_health_check=_QUIET, derandomize=True, database=None)
    @given(situations())
    def stand(one: Situation) -> None:
        stood.append((one, floor.objections(one, EVERYTHING, SITE), floor.decided(one, EVERYTHING, SITE)))

    @settings(max_examples=alone, deadline=None, derandomize=True, database=None)
    @given(_GLOBS, _PATHS)
    def match(glob: str, path: str) -> None:
        globs.append((glob, path, matches(glob, path, HOME)))

    ask()
    stand()
    match()
    return asked, stood, globs


def outcomes() -> dict[str, str]:
    """What is proved of the baseline, and of a few mistakes in it, by the prover that is loaded now."""
    prover: Any = importlib.import_module(f"{PACKAGE}.proving")
    changed = [mistakes.BASELINE.replace(old, new) for old, new, _ in mistakes.BASELINES[::3]]
    sets = [compile_policies({}, {"r.yaml": text}, home=HOME, root=ROOT) for text in (mistakes.BASELINE, *changed)]
    found = {}
    for number, one in enumerate(sets):
        for result in prover.prove(one, SITE, {"i.yaml": INVARIANTS}):
            case = result.counterexample
            found[f"{number} {result.name}"] = f"{result.outcome} {case is not None and bool(case.staged)}"
    return found


def refuses() -> bool:
    """Whether each condition outside the subset is refused."""
    translate: Any = importlib.import_module(f"{PACKAGE}.translate")
    for text in mistakes.OUTSIDE:
        found = compile_policies(
            {"c.cedar": f'@id("x") forbid (principal, action, resource) when {{ {text} }};'}, {}, home=HOME, root=ROOT
        )
        with pytest.raises(PolicyFileError, match=r"policy\.untranslated"):
            translate.encode(found)
    return True


def unnoticed(
    asked: Asked,
    stood: list[tuple[Situation, set[int], int]],
    globs: list[tuple[str, str, bool]],
    known: dict[str, str],
) -> bool:
    """Whether everything is as it was, by the modules that are loaded now."""
    module: Any = importlib.import_module(f"{PACKAGE}.floor")
    formula: Any = importlib.import_module(f"{PACKAGE}.formula")
    translate: Any = importlib.import_module(f"{PACKAGE}.translate")
    values: Any = importlib.import_module(f"{PACKAGE}.situation").values

    def level(gate: Any, one: Situation) -> int:
        reached = (level for level in gate.levels if formula.holds(gate.at_least(level), values(one)))
        return max([0, *reached])

    for found, requests in asked:
        encoded = translate.encode(found)
        if any(level(encoded, one) != wanted for one, wanted in requests):
            return False
    everything = translate.encode(EVERYTHING)
    gate = module.Gate(everything, SITE)
    says = {DENIED: module.floor_denies(SITE), 1: module.floor_asks(everything)}
    for one, objections, decided in stood:
        said = {number for number, part in says.items() if formula.holds(part, values(one))}
        replayed = module.objections(one, EVERYTHING, SITE), module.decided(one, EVERYTHING, SITE)
        if (said, level(gate, one)) != (objections, decided) or replayed != (objections, decided):
            return False
    facts: Any = importlib.import_module(f"{PACKAGE}.facts")
    if any(facts.site_glob(glob, HOME).accepts(path) != hit for glob, path, hit in globs):
        return False
    return refuses() and outcomes() == known


class Changed(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Loads one module from another text."""

    def __init__(self, name: str, text: str) -> None:
        self._name = name
        self._text = text

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        del path, target
        return importlib.util.spec_from_loader(fullname, self) if fullname == self._name else None

    def exec_module(self, module: types.ModuleType) -> None:
        exec(compile(self._text, self._name, "exec"), vars(module))


def survives(mutant: Mutant, *given_: Any) -> bool:
    """Whether nobody notices the mistake; one that does not end, or that breaks the program, is noticed."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    code = 1
    try:
        os.close(2)
        signal.alarm(SECONDS)
        for name in [name for name in sys.modules if name.startswith(f"{PACKAGE}.")]:
            del sys.modules[name]
        sys.meta_path.insert(0, Changed(f"{PACKAGE}.{mutant.path.stem}", mutated(mutant)))
        code = 0 if unnoticed(*given_) else 1
    finally:
        os._exit(code)


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_random_mistakes_of_the_encoder_are_noticed() -> None:
    given_ = (*corpus(400, 500), outcomes())
    assert unnoticed(*given_)
    chosen: list[Mutant] = []
    for name in FILES:
        every = mutants(FOLDER / f"{name}.py")
        chosen += random.Random(f"2026 {name}").sample(every, min(EACH, len(every)))
    survivors = [str(mutant) for mutant in chosen if survives(mutant, *given_)]
    assert 1 - len(survivors) / len(chosen) >= BAR, "\n".join(survivors)


def test_the_comparison_notices_a_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    """The short form: a small corpus, and one mistake."""
    given_ = (*corpus(3, 40), outcomes())
    assert unnoticed(*given_)
    monkeypatch.setattr(floor, "IRREVERSIBLE", False)
    assert not unnoticed(*given_)
