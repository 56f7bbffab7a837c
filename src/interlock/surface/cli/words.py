"""Words for the codes and kinds that a decision is made of; every sentence here is the harness's own.

``meaning`` says why a code asks or denies, ``automatic`` what would have made it pass without a person.  A code
that is not known stands for itself: an unknown reason is shown, never hidden.
"""

from __future__ import annotations

import datetime as dt

from interlock.artifact.action import Effect, Reversibility

UNDO = {
    Reversibility.PURE: "changes nothing",
    Reversibility.REVERSIBLE: "can be undone from a snapshot",
    Reversibility.COMPENSABLE: "can be taken back by an inverse action",
    Reversibility.IRREVERSIBLE: "cannot be undone",
}
MARKS = {
    Reversibility.PURE: "○",
    Reversibility.REVERSIBLE: "↺",
    Reversibility.COMPENSABLE: "↻",
    Reversibility.IRREVERSIBLE: "✖",
}
DOES = {
    Effect.READ: "reads",
    Effect.WRITE: "writes",
    Effect.DELETE: "deletes",
    Effect.EXECUTE: "runs",
    Effect.SEND: "sends to",
    Effect.SPEND: "spends on",
    Effect.GRANT_ACCESS: "grants access to",
}

CONCERNS = {
    "actions.broad": "it can do almost anything; prefer narrow actions",
    "actions.no_destination": "it leaves, and nothing says where to",
    "actions.no_resource": "nothing says what it touches",
    "actions.pure_effect": "called pure, and has an effect",
    "actions.unknown_argument": "a destination names an argument that it does not have",
}

GATE_STEPS = (
    "parse strictly", "structure", "manifests and arguments", "scope", "floor", "evidence", "policy, flow and budget",
    "reservation", "a person", "sealing",
)  # fmt: skip
CHANGES = {
    "person": "where a person is there and approves",
    "wait": "after waiting until the rate is free",
    "argument": "without the argument {field} of {step}",
    "form": "with {step} in the declared form {field}",
    "path": "with another {field} in {step}: {value}",
    "scope": "with another {field} in {step}: {value}",
    "value": "where the principal, and not the planner, supplies {field} of {step}",
    "load": "after the group {field} of {step} was loaded",
    "budget": "with a budget of which nothing was used",
    "unobserved": "in a plan made before its planner had received anything",
    "step": "without {step}",
}

_MEANINGS = {
    "approval.denied": "a person denied it",
    "budget.": "the task's budget or a rate is used up",
    "codec.": "the proposal is not exactly one plan in the strict form",
    "effects.opaque": "nobody can tell beforehand everything that this would do",
    "argument.": "an argument does not fit the action's manifest",
    "extract.fields": "what the quarantined model may answer is not bounded, or does not stand in the plan",
    "floor.blast_radius": "the plan could destroy more things than the workspace's limit",
    "floor.expiry": "the plan would live longer than it may",
    "floor.harness": "it touches Interlock's own files",
    "floor.irreversible": "it cannot be undone",
    "floor.no_inverse": "it destroys something, and no action is named that takes it back",
    "floor.no_snapshot": "it destroys something of which no snapshot can be taken",
    "floor.privileged": "the action is privileged",
    "floor.protected": "it changes a protected resource",
    "floor.spend": "it spends money",
    "floor.declassify": "more could be told of a value than its label allows",
    "floor.endorse": "a value could be acted on that a stranger may have chosen",
    "floor.grant-access": "it gives somebody access",
    "flow.other_scope": "data of one scope would reach another",
    "flow.restricted_leaves": "restricted data would leave",
    "flow.sink_limit": "data would reach a place that may not know it",
    "flow.tainted_task": "the task has read untrusted data, and this could act on it",
    "flow.trifecta": "private data, untrusted text and a way out meet in this step",
    "flow.untrusted_authority": "an untrusted value would choose what is acted on",
    "flow.untrusted_shape": "untrusted data would decide whether, or how often, this runs",
    "gate.no_reason": "nothing allows it, and empty is deny",
    "gate.unattended": "nobody is there to ask",
    "goal.": "the plan is not tied to the task as it was recorded",
    "intent.drift": "the task's latest steps lie further from its goal than the workspace's limit",
    "irreversible.differs": "the plan says something else about reversibility than the manifest",
    "judge.budget": "no judgement: the judge's tokens of the day are used up",
    "judge.canary": "no judgement: the judge's answer did not repeat what only a reader of our words could know",
    "judge.contrary": "the judge, a second model, finds that it works against the task's goal or goes beyond it",
    "judge.label": "no judgement: the judge may not know data of this label",
    "judge.late": "no judgement: the judge was not asked about exactly this plan",
    "judge.malformed": "no judgement: the judge's answer is not of the form that was asked for",
    "judge.outage": "no judgement: the judge could not be reached",
    "judge.size": "no judgement: the plan is larger than what the judge is told",
    "judge.timeout": "no judgement: the judge did not answer in time",
    "judge.unclear": "the judge, a second model, cannot tell whether it fits the task's goal",
    "manifest.changed": "the action's manifest is not the pinned one",
    "manifest.contradiction": "the action's manifest contradicts itself",
    "manifest.group_not_loaded": "the action's group was not loaded for this task",
    "manifest.unknown": "no manifest describes the action",
    "modify.ambiguous": "rules want this step in several forms at once",
    "modify.argument": "the wanted form needs an argument that the step leaves out",
    "modify.late": "a rule wants this step in another form, now that more is known of it",
    "modify.loop": "the rules go on changing the plan without an end",
    "modify.output": "the plan uses what this step returns, and in the wanted form it returns something else",
    "modify.unfit": "the wanted form does not go with the actions that exist",
    "modify.unknown": "the action has no form of the name that a rule wants",
    "policy.confirm": "a rule of the workspace asks for a person",
    "policy.denied": "a rule of the workspace forbids it",
    "policy.error": "the policy could not be evaluated, and an error is a denial",
    "policy.modified": "a rule of the workspace wants this step in the form that it names",
    "policy.no_permit": "no rule of the workspace allows it",
    "policy.permitted_open": "a rule allows it; what it touches is decided on again when it is known",
    "policy.permitted": "a rule allows it",
    "policy.evidence": "a rule has noted it",
    "policy.resource_not_canonical": "what it touches has no canonical name",
    "policy.unattended": "a rule asks for a person, and nobody is there",
    "policy.": "the workspace's policy",
    "privileges.differ": "the plan declares other privileges than the gate derives",
    "reference.": "a reference in the plan does not hold",
    "relabel.bound": "what the value may be is neither a few texts nor a range",
    "relabel.by_rule": "a rule with an owner stands for the person",
    "relabel.outside": "the value is none of those that it was to be",
    "relabel.place": "a label is lowered by a step of its own, without condition, loop or way back",
    "relabel.unknown": "nobody would know what they agree to",
    "resource.": "what it touches has no canonical name",
    "scope.dimension": "it lies outside the task's or the principal's scope",
    "scope.path": "the path lies outside the workspace's roots",
    "structure.embedded_plan": "an argument holds text that looks like a plan",
    "structure.sound": "the plan is built as plans are",
    "structure.redefines": "an argument holds text that reads like orders",
    "structure.": "the plan is not built as plans are",
    "task.frozen": "an incident froze the task",
}
_AUTOMATIC = {
    "budget.rate": "after waiting until the rate is free again",
    "budget.": "with a larger budget, set by the principal",
    "effects.opaque": "with a narrower action, whose effects its manifest states",
    "floor.blast_radius": "with a plan that destroys fewer things",
    "floor.declassify": "with a bounded value, by a rule that allows this very action and names its owner",
    "floor.endorse": "with a bounded value, by a rule that allows this very action and names its owner",
    "floor.": "never; no rule switches the floor off",
    "flow.untrusted": "with a value that the task's own text or a principal supplies",
    "flow.": "with a plan that keeps such data away from this step",
    "intent.": "in a task whose latest steps lie closer to its goal",
    "judge.": "where the judge, asked about exactly this plan, finds that it fits the goal",
    "modify.": "with a plan that has the wanted form already",
    "policy.": "with another rule; its owner can change it",
    "structure.": "with a plan without such text in its arguments",
}


def meaning(code: str) -> str:
    """Why, in words; the code itself where there are none."""
    return _longest(_MEANINGS, code) or code


def automatic(code: str) -> str:
    """When it would pass without a person; empty where nothing can be said."""
    return _longest(_AUTOMATIC, code)


def span(milliseconds: int) -> str:
    """A length of time in words: ``12 s``, ``3 min``, ``2 h``, ``4 d``."""
    seconds = max(0, milliseconds) // 1000
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def moment(at: int) -> str:
    """A time (milliseconds since the epoch) to the minute, in UTC."""
    return dt.datetime.fromtimestamp(at / 1000, dt.UTC).strftime("%Y-%m-%d %H:%M UTC")


def count(number: int, thing: str) -> str:
    """``1 file``, ``3 files``."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def _longest(table: dict[str, str], code: str) -> str:
    found = [prefix for prefix in table if code.startswith(prefix)]
    return table[max(found, key=len)] if found else ""
