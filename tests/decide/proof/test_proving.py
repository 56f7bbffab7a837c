"""Invariants: all hold of the baseline, each seeded mistake is refuted, and each counterexample replays on the real engine."""

from __future__ import annotations

from importlib import resources

import pytest

from interlock.artifact.errors import IntegrityError
from interlock.decide.evidence import Site
from interlock.decide.policy import PolicyFileError, compile_policies
from interlock.decide.proof import floor, languages, proving, shapes, solver, staging, translate
from interlock.decide.proof.formula import Flag, both, negate
from interlock.decide.proof.invariants import Violation
from support import mistakes
from support.mistakes import BASELINE

HOME, ROOT = "/home/u", "/home/u/web"
SITE = Site(
    id="w",
    root=ROOT,
    home=HOME,
    roots=(ROOT,),
    own=(f"{ROOT}/policy",),
    protected=("vm:main", "file:vault/**", "endpoint:a.b:1"),
)
INVARIANTS = resources.files("interlock.decide.proof").joinpath("baseline.yaml").read_text("utf-8")


def refuted(
    rules: str = BASELINE, cedar: str = "", invariants: str = INVARIANTS, site: Site = SITE, *, staged: bool = True
) -> dict[str, str]:
    """What is not proved, by name: the outcome, or the verdicts of its counterexample, which ``prove`` has replayed.

    With ``staged``, each is an action as well, for which the gate says so.
    """
    policies = compile_policies({"c.cedar": cedar} if cedar else {}, {"r.yaml": rules}, home=HOME, root=ROOT)
    found = proving.prove(policies, site, {"i.yaml": invariants} if invariants else {})
    told = {one.name: one.counterexample for one in found if one.outcome == "refuted"}
    for case in told.values():
        assert case and proving.replay(case.situation, policies, site) == case.verdict
        assert case.other is None or proving.replay(case.other, policies, site) == case.other_verdict
        levels = [staging.level(one, policies, site) for one in case.staged]
        assert levels or not staged, "the gate never comes to it"
        assert case.other is None or not levels or levels[1] < levels[0]
        assert case.other is not None or [proving.said(one) for one in levels] in ([], [case.verdict])
    gave_up = {one.name: one.outcome for one in found if one.outcome == "gave-up"}
    return {name: f"{case.verdict} {case.other_verdict}".strip() for name, case in told.items() if case} | gave_up


def test_everything_holds_of_the_baseline_and_of_no_policy_at_all() -> None:
    assert refuted() == {}
    assert refuted(rules="rules:\n  - deny: '*'\n", site=Site(id="w", root=ROOT, home=HOME, roots=(ROOT,))) == {}


@pytest.mark.parametrize(("old", "new", "names"), mistakes.BASELINES)
def test_a_seeded_mistake_is_refuted(old: str, new: str, names: set[str]) -> None:
    assert BASELINE.count(old) == 1
    found = refuted(BASELINE.replace(old, new))
    assert names <= set(found) and (bool(names) or not found)


@pytest.mark.parametrize(("cedar", "name"), mistakes.RULES)
def test_a_rule_that_is_not_monotone_is_refuted(cedar: str, name: str) -> None:
    assert name in refuted(cedar=cedar)


MODIFY = BASELINE + "\n  - {modify: files.*, with: aside, id: change}\n"


@pytest.mark.parametrize(
    ("condition", "names"),
    [
        ("path: /a/**", set()),
        ("data: private, cost: 3, unattended: true", set()),
        ("untrusted: true, external: true", set()),
        ("untrusted: false", {"monotone-integrity"}),
        ("unattended: false", {"unattended-strict"}),
        ("broad: false", {"unknown-strict"}),
    ],
)
def test_what_is_changed_where_it_is_riskier_keeps_the_invariants(condition: str, names: set[str]) -> None:
    found = refuted(MODIFY.replace("id: change", f"id: change, {condition}"))
    assert set(found) == names
    assert all(verdicts.startswith("MODIFY ") for verdicts in found.values())


@pytest.mark.parametrize("name", ["floor_asks", "own", "protected"])
def test_a_floor_with_a_hole_is_refuted_and_the_real_floor_objects(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """The formula's hole is found at once: the counterexample does not replay."""
    monkeypatch.setattr(floor, name, lambda *_: False)
    with pytest.raises(IntegrityError, match=r"policy\.replay"):
        refuted('rules:\n  - allow: "*"\n')


@pytest.mark.parametrize(
    ("invariant", "verdicts"),
    [
        ("never: {verdict: ALLOW, when: {action: files.*, access: read}}", {"ALLOW"}),
        ("never: {verdict: [ALLOW, STEP_UP], when: {action: mail.send, environment: prod}}", {"ALLOW", "STEP_UP"}),
        ("always: {verdict: DENY, when: {destination: '*@evil.example'}}", {"ALLOW", "STEP_UP", "MODIFY"}),
        ("always: {verdict: ALLOW, when: {principal: role:lead, scope: {tenant: t1}}}", {"STEP_UP", "MODIFY", "DENY"}),
        ("always: {verdict: [ALLOW, DENY], when: {host: '*.example.org:443'}}", {"STEP_UP", "MODIFY"}),
        ("never: {verdict: DENY}", {"DENY"}),
        ("never: {verdict: MODIFY}", {"MODIFY"}),
        ("always: {verdict: [STEP_UP, MODIFY, DENY], when: {action: files.delete}}", {"ALLOW"}),
        ("always: {verdict: [ALLOW, DENY], when: {signal: shape.*}}", {"STEP_UP", "MODIFY"}),
        ("never: {verdict: ALLOW, when: {signal: [nothing.*, '*.seen']}}", {"ALLOW"}),
    ],
)  # fmt: skip
def test_an_operators_own_invariant_is_refuted_with_a_request(invariant: str, verdicts: set[str]) -> None:
    found = refuted(MODIFY, invariants=f"invariants:\n  - id: mine\n    {invariant}\n")
    assert set(found) == {"mine"}
    assert found["mine"].split()[0] in verdicts


@pytest.mark.parametrize(
    ("text", "line", "code"),
    [
        ("- id: a\n", 2, "policy.invariant"),
        ("- id: a\n    never: {verdict: ALLOW}\n    always: {verdict: DENY}\n", 2, "policy.invariant"),
        ("- id: a\n    never: {verdict: MAYBE}\n", 2, "policy.invariant"),
        ("- id: a\n    never: {verdict: [], when: {}}\n", 2, "policy.invariant"),
        ("- id: a\n    never: DENY\n", 2, "policy.invariant"),
        ("- id: a\n    never: {verdict: ALLOW, when: {evnironment: prod}}\n", 3, "policy.rule"),
        ("- id: a\n    never: {verdict: ALLOW, when: {deny: x}}\n", 3, "policy.rule"),
        ("- id: a\n    never: {verdict: ALLOW, when: {path: a}}\n", 3, "policy.rule"),
    ],
)  # fmt: skip
def test_an_invariant_that_is_not_understood_shouts_with_its_line(text: str, line: int, code: str) -> None:
    with pytest.raises(PolicyFileError, match=code) as error:
        refuted(invariants=f"invariants:\n  {text}")
    assert (error.value.file, error.value.line) == ("i.yaml", line)


@pytest.mark.parametrize("condition", mistakes.OUTSIDE)
def test_what_is_outside_the_subset_is_refused_at_its_place(condition: str) -> None:
    rule = f'\n@id("x") forbid (principal, action, resource) when {{ {condition} }};'
    with pytest.raises(PolicyFileError, match=r"policy\.untranslated: c\.cedar:2") as error:
        refuted(cedar=rule)
    assert error.value.line == 2


@pytest.mark.parametrize("scope", ["principal is Principal", 'principal in Resource::"x"'])
def test_a_scope_outside_the_subset_is_refused(scope: str) -> None:
    with pytest.raises((PolicyFileError), match=r"policy\.(untranslated|rule)"):
        refuted(cedar=f'@id("x") forbid ({scope}, action, resource);')


def test_a_kind_of_rule_that_nobody_translated_is_refused() -> None:
    policies = compile_policies({}, {"r.yaml": BASELINE}, home=HOME, root=ROOT)
    import msgspec

    policies._rules = {"x": msgspec.structs.replace(policies.rules[0], effect="wonder")}  # type: ignore[arg-type]
    with pytest.raises(PolicyFileError, match=r"policy\.untranslated: r\.yaml:5.*'wonder'"):
        translate.encode(policies)


def test_giving_up_proves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(solver, "IN_ALL", 5 * solver.ROUND)
    assert 0 < list(refuted().values()).count("gave-up") < 14
    monkeypatch.setattr(solver, "RESOURCES", 1)
    assert set(refuted().values()) == {"gave-up"}
    policies = compile_policies({}, {"r.yaml": BASELINE}, home=HOME, root=ROOT)
    other = compile_policies({}, {"r.yaml": ALLOW}, home=HOME, root=ROOT)
    assert (proving.compare(policies, other).outcome, proving.possible(policies, other)) == ("gave-up", [])


def test_too_many_rounds_are_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(solver, "ROUNDS", 0)
    with pytest.raises(languages.GaveUp):
        solver.Finder().find(both(Flag("open"), negate(Flag("broad"))))


def test_a_counterexample_that_does_not_replay_is_an_error() -> None:
    policies = compile_policies({}, {"r.yaml": "rules:\n  - deny: '*'\n"}, home=HOME, root=ROOT)
    for wrong in (Violation(formula=True, levels=frozenset({0})), Violation(formula=True, after={"data": 3})):
        with pytest.raises(IntegrityError, match=r"policy\.replay"):
            proving._replayed(wrong, solver.Finder().find(True), policies, SITE)  # type: ignore[arg-type]


NAMED = "  - {allow: flow.endorse, id: n}\n"
OWNED = "  - {allow: flow.endorse, id: n, owner: ann}\n"
VERIFY = "  - {verify: files.read, id: v}\n"
CHANGE = "  - {modify: files.read, with: aside, id: c}\n"
ALLOW = "rules:\n  - allow: files.*\n    path: ./**\n    id: a\n"


@pytest.mark.parametrize(
    ("old", "new", "answers"),
    [
        (ALLOW, ALLOW, None),
        (ALLOW, ALLOW.replace("./**", "./a/**"), None),
        (ALLOW.replace("./**", "./a/**"), ALLOW, ("DENY", "ALLOW")),
        (ALLOW, ALLOW.replace("files.*", "file*"), ("DENY", "ALLOW")),
        (ALLOW + "  - deny: files.delete\n    id: d\n", ALLOW, ("DENY", "ALLOW")),
        (ALLOW + "  - verify: '*'\n    approvals: 3\n    id: v\n", ALLOW + "  - verify: '*'\n    approvals: 2\n    id: v\n",
         ("STEP_UP (3 persons)", "ALLOW")),
        (ALLOW, ALLOW + CHANGE, None),
        (ALLOW + VERIFY, ALLOW + VERIFY + CHANGE, ("DENY", "MODIFY")),  # Unattended.
        (ALLOW + CHANGE, ALLOW + VERIFY, ("MODIFY", "ALLOW")),  # Somebody has confirmed it.
        (ALLOW + CHANGE.replace("modify", "deny").replace("with: aside, ", ""), ALLOW + CHANGE, ("DENY", "MODIFY")),
        (ALLOW + CHANGE, ALLOW + CHANGE.replace("aside", "single"), ("MODIFY", "ALLOW")),
        (ALLOW + "  - {deny: files.read, signal: [a.b, c.*], id: s}\n", ALLOW + "  - {deny: files.read, signal: ['*.b', c.d], id: s}\n", ("DENY", "ALLOW")),
        (ALLOW + "  - {deny: files.read, signal: a.b, id: s}\n", ALLOW + "  - {deny: files.read, signal: a.*, id: s}\n", None),
        (ALLOW.replace("path: ./**", "destination: '*@a.example'"), ALLOW.replace("path: ./**", "destination: ['*@a.example', '*@b.example']"),
         ("DENY", "ALLOW")),
        (ALLOW.replace("path: ./**", "destination: '*.example'"), ALLOW.replace("path: ./**", "destination: '*@a.example'"), None),
        (ALLOW.replace("path: ./**", "scope: {p: x}"), ALLOW.replace("path: ./**", "scope: {p: [x, y]}"), ("DENY", "ALLOW")),
        (ALLOW.replace("path: ./**", "host: a.example"), ALLOW.replace("path: ./**", "host: '*.example'"), ("DENY", "ALLOW")),
        (ALLOW.replace("path: ./**", "host: '*.example'"), ALLOW.replace("path: ./**", "host: 'a.example:443'"), None),
        (ALLOW + NAMED, ALLOW + OWNED, ("ALLOW", "ALLOW also to lower a label")),
        (ALLOW + OWNED, ALLOW + NAMED, None),
        (ALLOW + OWNED + VERIFY, ALLOW + OWNED + VERIFY, None),
    ],
)  # fmt: skip
def test_diff_proves_or_shows_what_became_possible(old: str, new: str, answers: tuple[str, str] | None) -> None:
    before, after = (compile_policies({}, {"r.yaml": text}, home=HOME, root=ROOT) for text in (old, new))
    found = proving.compare(before, after)
    assert (found.outcome, (found.old, found.new)) == (("refuted", answers) if answers else ("proved", ("", "")))
    became = proving.possible(before, after)
    assert bool(became) is (answers is not None)
    for one in became:
        told = [before.evaluate(one.request), after.evaluate(one.request)]
        levels = [proving.level_of(answer.decision, answer.approvals) for answer in told]
        spoken = " also to lower a label" if told[1].owned else ""
        assert levels[0] > levels[1] or spoken
        assert [one.old, one.new] == [proving.said(levels[0]), proving.said(levels[1]) + spoken]
        assert set(one.rules) <= set(before.ids) and set(one.by) <= set(after.ids)


def test_each_rule_that_went_is_told_with_a_request() -> None:
    rules = "  - {deny: files.delete, id: d}\n  - {verify: mail.*, id: v}\n  - {deny: web.*, id: stays}\n"
    old = compile_policies({}, {"r.yaml": ALLOW.replace("files.*", "'*'") + rules}, home=HOME, root=ROOT)
    new = compile_policies(
        {},
        {"r.yaml": ALLOW.replace("files.*", "'*'").replace("./**", "/**") + "  - {deny: web.*, id: stays}\n"},
        home=HOME,
        root=ROOT,
    )
    found = {one.rules: (one.old, one.new, one.by) for one in proving.possible(old, new)}
    assert found == {
        ("d",): ("DENY", "ALLOW", ("a",)),
        ("v",): ("STEP_UP (1 person)", "ALLOW", ("a",)),
        (): ("DENY", "ALLOW", ("a",)),
    }


def test_a_difference_that_does_not_replay_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    policies = compile_policies({}, {"r.yaml": ALLOW}, home=HOME, root=ROOT)
    monkeypatch.setattr(proving, "_loosened", lambda *_: True)
    with pytest.raises(IntegrityError, match=r"policy\.replay"):
        proving.compare(policies, policies)


ROLES = {".": {"left": {"Var": "context"}, "attr": "roles"}}
ACTION = {".": {"left": {"Var": "context"}, "attr": "action"}}


@pytest.mark.parametrize(
    "node",
    [
        ACTION, {"Value": 3}, {"contains": {"left": ROLES, "right": {"Value": 1}}}, {"decimal": [{"Value": "1"}]}, {"<": {"left": ACTION, "right": {"Value": 1}}},
        {"==": {"left": ACTION, "right": {"Value": {"__extn": {}}}}}, {"==": {"left": {"Var": "principal"}, "right": {"Value": {"__entity": {"type": "X", "id": "y"}}}}},
        {"contains": {"left": ACTION, "right": {"Value": "x"}}},
    ],
)  # fmt: skip
def test_nodes_that_no_valid_policy_holds_are_refused_too(node: dict[str, object]) -> None:
    with pytest.raises(translate.Untranslated):
        translate._Translation(translate.Places("/h", "/r")).formula(node)


def test_a_set_that_is_one_value_is_read_like_a_list() -> None:
    made = translate._Translation(translate.Places("/h", "/r")).formula(
        {"contains": {"left": {"Value": ["x"]}, "right": ACTION}}
    )
    assert made == translate.Matches("action", languages.exactly("x"))
    translation = translate._Translation(translate.Places("/h", "/r"))
    assert translation.formula({"has": {"left": {"Var": "context"}, "attr": "host"}}) is True
    opened = {".": {"left": {"Var": "context"}, "attr": "open"}}
    for value, found in ((True, Flag("open")), (False, negate(Flag("open")))):
        made = translation.formula({"==": {"left": opened, "right": {"Value": value}}})
        assert repr(made) == repr(found)
    reading = {"Value": {"__entity": {"type": "Action", "id": "read"}}}
    made = translation.formula({"in": {"left": {"Var": "action"}, "right": {"Set": [reading]}}})
    assert made == translate.OneOf("effect", frozenset({"read"}))


def test_what_cannot_be_made_a_request_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(solver, "objection", lambda _: "resource")
    with pytest.raises(languages.GaveUp):
        solver.Finder().find(Flag("open"))
    atom = translate.Reaches("destinations", (languages.exactly("a"), languages.exactly("b")), every=True)
    barred = translate.Reaches("destinations", (languages.exactly("a"), languages.exactly("b")), every=False)
    monkeypatch.setattr(solver, "CHOICES_OF_ELEMENTS", 1)
    with pytest.raises(languages.GaveUp):
        solver._element(atom, True, [atom], [barred], shapes.OF_LIST["destinations"])
