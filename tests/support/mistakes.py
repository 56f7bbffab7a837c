"""Mistakes in a policy, one at a time: what is changed in the baseline, and which invariants then do not hold."""

from __future__ import annotations

from importlib import resources

BASELINE = resources.files("interlock.decide.policy").joinpath("baseline.yaml").read_text("utf-8")

BASELINES = [
    ("id: baseline.credentials-home", "id: baseline.credentials-home\n    access: write", {"baseline.credentials-never"}),
    ('- deny: "*"\n    id: baseline.credentials-anywhere', '- verify: "*"\n    id: baseline.credentials-anywhere', {"baseline.credentials-never"}),
    ("access: [read, delete, send,", "access: [delete, send,", {"baseline.keys-never-read"}),
    ("~/.ssh/**\n      - ~/.aws", "~/.ssh/*\n      - ~/.aws", set()),  # ``**/.ssh/**`` still covers it.
    ("~/.mozilla/**", "~/.mozilla/*/**", {"baseline.credentials-never"}),
    ("effect: [execute, send, spend, grant-access]", "effect: [send, spend, grant-access]", {"baseline.programs-asked"}),
    ("external: true\n    data: private\n", "external: true\n    data: private\n    environment: prod\n", {"i5-restricted"}),
    ("external: true\n    untrusted: true\n", "external: true\n    untrusted: false\n", {"monotone-integrity"}),
    ("external: true\n    effect: [write, delete]\n", "external: false\n    effect: [write, delete]\n", {"unknown-strict"}),
]  # fmt: skip

RULES = [
    ('@id("x") forbid (principal, action, resource) when { context.data <= 1 && context.action like "mail*" };', "monotone-confidentiality"),
    ('@id("x") forbid (principal, action, resource) when { context.cost == 7 };', "monotone-cost"),
    ('@id("x") forbid (principal, action, resource) when { context.approvals > 2 };', "monotone-approvals"),
    ('@id("x") @approvals("3") forbid (principal, action, resource) when { !context.broad };', "unknown-strict"),
    ('@id("x") forbid (principal, action, resource) when { !context.unattended };', "unattended-strict"),
    ('@id("x") forbid (principal, action, resource) when { !context.untrusted && context.matched.contains("signals shell.*") };', "monotone-integrity"),
    ('@id("x") forbid (principal, action, resource) when { !context.privileged && context.roles.contains("lead") && context.scope.contains("tenant=t1") };', "unknown-strict"),
    ('@id("x") @with("aside") forbid (principal, action, resource) when { !context.external && principal == Principal::"ann" };', "unknown-strict"),
]  # fmt: skip

# Conditions that are right, and that no proof can speak of.
OUTSIDE = [
        "context.cost + 1 > 2", "context.cost > context.approvals", "context.roles.isEmpty()", 'context.roles == ["a"]', "principal is Principal",
        "context.port > 80", "context.action == context.group", 'context.destinations.contains("İ")', "[context.action].contains(context.group)",
        "context.roles.contains(context.action)", "context.open == context.broad", "(if context.open then 1 else 2) == 1",
        "context.scope.containsAny(context.roles)", '(if context.open then context.action else "a") like "b"', "context.version * 2 == 4",
    ]  # fmt: skip
