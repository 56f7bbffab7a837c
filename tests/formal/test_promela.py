"""The reader of the Promela subset: it means what SPIN means, and refuses what it does not know."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "formal"))

import explore
import promela

FRAME = """
byte x; byte a[2]; bit b = 1;
{rules}
ltl small {{ [] ({claim}) }}
active proctype main() {{ end: do {calls} od }}
"""


def model(folder: Path, rules: str, calls: str, claim: str = "x < 9", mutant: int | None = None) -> promela.Model:
    path = folder / "m.pml"
    path.write_text(FRAME.format(rules=rules, calls=calls, claim=claim))
    return promela.read(path, mutant)


def test_a_counter_has_as_many_states_as_values_and_a_shortest_trace(tmp_path: Path) -> None:
    rules = """inline up() { d_step { x < 5 -> x = x + 1 } }
               inline jump(n) { d_step { x == 0 -> x = n } }"""
    counter = model(tmp_path, rules, ":: up() :: jump(3)", claim="x != 5")
    assert explore.explore(counter).states == 6
    assert explore.explore(counter).traces == {"small": ["jump(3)", "up()", "up()"]}


EXPRESSIONS = {
    "not binds tighter than equals": ("!x == 1", True),
    "and binds tighter than or": ("b || b && x", True),
    "comparison binds tighter than and": ("b && x == 0", True),
    "arithmetic binds tighter than comparison": ("x + 2 * 3 == 6", True),
    "parentheses": ("(b || b) && x", False),
    "constant index arithmetic": ("a[0 * 3 + 1] == 0", True),
}


@pytest.mark.parametrize("case", EXPRESSIONS)
def test_expressions_mean_what_they_mean_in_c(tmp_path: Path, case: str) -> None:
    claim, holds = EXPRESSIONS[case]
    compiled = model(tmp_path, "inline no() { d_step { x == 1 -> x = 0 } }", ":: no()", claim)
    assert compiled.properties["small"](tuple(compiled.initial)) is holds


def test_macros_and_conditions_follow_the_preprocessor(tmp_path: Path) -> None:
    rules = """/* #define N 1 */
#define TWICE(v) (v + v)
#ifdef MUTANT_7
#define N 3
#else
#ifndef MUTANT_8
#define N TWICE(1)
#endif
#endif
inline set(i) { d_step { a[i] == 0 ->
  if :: i == 1 -> a[i] = N :: else -> skip fi; x = x + \\
  1 } }"""
    for mutant, value in ((None, 2), (7, 3)):
        compiled = model(tmp_path, rules, ":: set(1)", mutant=mutant)
        ((_, after),) = compiled.successors(tuple(compiled.initial))
        assert dict(zip(compiled.names, after, strict=True)) == {"x": 1, "a_0": 0, "a_1": value, "b": 1}


OUTSIDE = {
    "an unknown name": "inline r() { d_step { y -> x = 1 } }",
    "an index that is not constant": "inline r() { d_step { a[x] == 0 -> x = 1 } }",
    "an index out of range": "inline r() { d_step { a[2] == 0 -> x = 1 } }",
    "a choice without else": "inline r() { d_step { b -> if :: b -> x = 1 :: !b -> x = 2 fi } }",
    "a rule that is not one step": "inline r() { b -> x = 1 }",
    "a rule without a guard": "inline r() { d_step { x = 1 } }",
    "two steps in a rule": "inline r() { d_step { b -> x = 1 } x = 2 }",
    "an assertion": "inline r() { d_step { b -> assert(b) } }",
    "an increment": "inline r() { d_step { b -> x++ } }",
    "a channel": "chan c; inline r() { d_step { b -> x = 1 } }",
    "a character that is no token": "inline r() { d_step { b ^ b -> x = 1 } }",
    "unbalanced braces": "inline r() { d_step { b -> x = 1 }",
}


@pytest.mark.parametrize("case", OUTSIDE)
def test_what_lies_outside_the_subset_is_refused(tmp_path: Path, case: str) -> None:
    with pytest.raises(promela.ModelError):
        model(tmp_path, OUTSIDE[case], ":: r()")
