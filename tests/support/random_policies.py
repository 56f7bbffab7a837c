"""Random rules of the short form and of Cedar, and random requests that come near to them, for hypothesis."""

from __future__ import annotations

import json

import msgspec
from hypothesis import strategies as st

from interlock.artifact.action import Effect, Reversibility
from interlock.artifact.label import Confidentiality
from interlock.decide.policy import PolicyRequest, PolicySet, compile_policies
from interlock.decide.policy.request import objection
from interlock.decide.proof.situation import Situation
from support.asking import asking

HOME, ROOT = "/home/u", "/home/u/web"
PATHS = (
    "~/.ssh/**",
    "./**",
    "./a*b/*.txt",
    "**/*.pem",
    "**/.env",
    "/etc/**/x/*",
    "/etc/cron*/**",
    "/srv",
    "~/a/*/b",
    "**",
    "/a/**/b/**/c",
)
NAMES = (
    "/home/u/.ssh/id", "/home/u/.ssh", "/home/u", "/", "/home/u/web/a.txt", "/home/u/web/ab/x.txt", "/home/u/web/a/b/x.txt", "/x.pem",
    "/a/.pem", "/etc/cron.d/job", "/etc/x/y", "/etc/q/x/y", "/home/u/a/z/b", "/a/b/c", "/a/q/b/q/c", "/a/b/b", "/home", "/home/u/web/.env", "/é",
)  # fmt: skip
ENDPOINTS = ("docs.example.org:443", "example.org:80", "a.example.org:8443", "10.0.0.1:22", "docs.example.org:4430")
HOSTS = ("docs.example.org", "*.example.org", "*", "*:443", "example.org:80", "docs.example.org:443")
ACTIONS = ("flow.endorse", "files.read", "files.write", "mail.send", "files", "db.drop", "filesXread")
GLOBS = ("flow.endorse", "*", "files.*", "mail.send", "*.send", "f*s.*d", "db.*")
DESTINATIONS = ("*@corp.example", "ann@corp.example", "*corp*", "https://*", "*")
TO = (
    "ann@corp.example",
    "Ann@Corp.Example",
    "bob@corp.example",
    "x@corp.example.evil",
    "https://corp.example/a,b",
    "eve@evil.example",
)
SCOPES = ({}, {"project": "web"}, {"project": "app"}, {"project": "web", "tenant": "t1"}, {"tenant": "t2"})
SIGNALS = ("shell.reverse", "shell.quoted", "credential.read", "sql.a.b")
FORMS = ("aside", "single")
EFFECTS = tuple(effect.value for effect in Effect)

_some = lambda values: st.lists(st.sampled_from(values), min_size=1, max_size=3, unique=True)  # noqa: E731
_CONDITIONS = {
    "effect": _some(EFFECTS), "access": _some(EFFECTS), "reversibility": _some([one.value for one in Reversibility]),
    "data": st.sampled_from([one.value for one in Confidentiality]), "cost": st.integers(0, 3), "environment": _some(("dev", "prod")),
    "principal": _some(("ann", "role:lead")), "scope": st.sampled_from([{"project": "web"}, {"project": ["web", "app"], "tenant": "t1"}]),
    "destination": _some(DESTINATIONS), "signal": _some(("*", "shell.*", "shell.reverse", "*.read", "sh*.r*", "sql.*")), **{name: st.booleans() for name in ("external", "privileged", "broad", "untrusted", "tainted", "unattended")},
}  # fmt: skip
_RESOURCES = {"path": _some(PATHS), "host": _some(HOSTS), "resource": _some(("vm:*", "vm:main", "db:p*d"))}


@st.composite
def rules(draw: st.DrawFn) -> dict[str, object]:
    """One short rule."""
    rule: dict[str, object] = {
        draw(st.sampled_from(("deny", "verify", "modify", "allow", "allow"))): draw(_some(GLOBS))
    }
    for name in draw(st.lists(st.sampled_from(sorted(_CONDITIONS)), max_size=2, unique=True)):
        rule[name] = draw(_CONDITIONS[name])
    if draw(st.booleans()):
        name = draw(st.sampled_from(sorted(_RESOURCES)))
        rule[name] = draw(_RESOURCES[name])
    if "verify" in rule and draw(st.booleans()):
        rule |= draw(st.sampled_from(({"tier": 1}, {"tier": 2}, {"approvals": 2}, {"approvals": 3})))
    if "allow" in rule:
        rule.pop("signal", None)
        if draw(st.booleans()):
            rule["owner"] = "ann"
    if "modify" in rule:
        rule["with"] = draw(st.sampled_from(FORMS))
    return rule


_TESTS = st.sampled_from((
    'context.action like "f*s.*"', 'context.resource like "/home/*"', 'context.resource == "main"', "context.external", "context.cost > 1",
    "3 > context.cost", "context.data != 2", "context.approvals >= 2", "context.version < 2", 'context.host like "*.example.org"', 'context.host == ""',
    "context.port == 443", "context.port != 0", 'context.roles.containsAll(["lead","ops"])', 'context.scope.contains("tenant")',
    'context.destinations.contains("ann@corp.example")', 'context.destinations.containsAll(["ann@corp.example", "bob@corp.example"])',
    'context.matched.containsAll(["path ~/**", "touches path **/*.pem"])', 'context.matched.contains("destinations *@corp.example ann*")',
    'context.matched.contains("touches destinations *@corp.example")', 'context.matched.contains("signals shell.* *.read")',
    'context.signals.contains("sql.a.b")', 'context.signals.containsAll(["shell.reverse", "credential.read"])', '["read","delete"].contains(context.access)', 'principal == Principal::"ann"',
    'resource == Resource::"vm:main"', 'resource == Resource::"file:/a/b/c"', 'action in [Action::"read", Action::"send"]', "context has host",
    'context.group like ""', "context.open == false", 'context.environment in ["x"]'.replace(" in ", " != ").replace('["x"]', '"dev"'),
    'context.kind == "file"', "[1, 2].contains(context.data)", '"read" == context.access',
))  # fmt: skip
_EXPRESSIONS = st.recursive(
    _TESTS,
    lambda inner: st.one_of(
        st.builds("({} && {})".format, inner, inner), st.builds("({} || {})".format, inner, inner), st.builds("!({})".format, inner),
        st.builds("(if {} then {} else {})".format, inner, inner, inner),
    ),
    max_leaves=5,
)  # fmt: skip
_CEDAR = st.builds(
    "{} {} when {{ {} }} unless {{ {} }};".format,
    st.sampled_from(("permit", "forbid", '@effect("confirm") forbid', '@approvals("2") forbid', '@with("aside") forbid')),
    st.sampled_from((
        "(principal, action, resource)", '(principal == Principal::"ann", action, resource)', '(principal, action == Action::"read", resource)',
        '(principal, action in [Action::"read", Action::"write"], resource == Resource::"vm:main")', '(principal in Principal::"ann", action, resource)',
    )),
    _EXPRESSIONS, _EXPRESSIONS,
)  # fmt: skip


@st.composite
def policies(draw: st.DrawFn) -> PolicySet:
    """A set of a few rules, at times with Cedar among them."""
    found = draw(st.lists(rules(), min_size=1, max_size=5))
    written = draw(st.lists(_CEDAR, max_size=2))
    texts = "\n".join(f'@id("c{number}") {text}' for number, text in enumerate(written))
    return compiled(found, texts)


def compiled(found: list[dict[str, object]], cedar: str = "") -> PolicySet:
    """The policy set of these rules; JSON is YAML."""
    named = [{"id": f"r{number}", **rule} for number, rule in enumerate(found)]
    return compile_policies(
        {"c.cedar": cedar} if cedar else {}, {"r.yaml": json.dumps({"rules": named})}, home=HOME, root=ROOT
    )


@st.composite
def situations(draw: st.DrawFn) -> Situation:
    """A canonical request, and what the floor knows besides."""
    kind, names = draw(
        st.sampled_from(
            (("file", NAMES), ("file", NAMES), ("endpoint", ENDPOINTS), ("vm", ("main", "x")), ("none", ("none",)))
        )
    )
    flag = st.booleans()
    request = PolicyRequest(
        principal=draw(st.sampled_from(("ann", "bob"))), roles=tuple(draw(st.lists(st.sampled_from(("lead", "ops")), max_size=2, unique=True))),
        scope=draw(st.sampled_from(SCOPES)), action=draw(st.sampled_from(ACTIONS)), version=draw(st.integers(1, 3)), group=draw(st.sampled_from(("", "g"))),
        effect=draw(st.sampled_from(Effect)), reversibility=draw(st.sampled_from(Reversibility)), privileged=draw(flag), external=draw(flag),
        broad=draw(flag), kind=kind, resource=draw(st.sampled_from(names)), access=draw(st.sampled_from(Effect)), open=draw(st.sampled_from((False, False, True))),
        recursive=draw(flag), destinations=tuple(draw(st.lists(st.sampled_from(TO), max_size=3))), confidentiality=draw(st.sampled_from(Confidentiality)),
        untrusted=draw(flag), tainted=draw(flag), environment=draw(st.sampled_from(("", "dev", "prod"))), cost=draw(st.integers(0, 4)),
        approvals=draw(st.integers(0, 3)), unattended=draw(flag), signals=tuple(draw(st.lists(st.sampled_from(SIGNALS), max_size=2, unique=True))), formed=tuple(draw(st.lists(st.sampled_from(FORMS), max_size=2, unique=True))),
    )  # fmt: skip
    if draw(flag):  # Close to quiet, so that one cause seldom hides another.
        reads = request.effect is Effect.READ
        access, way_back = (Effect.READ, "pure") if reads else (request.access, "irreversible")  # No contradiction.
        quiet = asking(
            kind=kind, resource=request.resource, effect=request.effect, access=access, reversibility=way_back
        )
        kept = draw(st.lists(st.sampled_from(request.__struct_fields__), max_size=4))
        request = msgspec.structs.replace(quiet, **{name: getattr(request, name) for name in kept})
    request = msgspec.structs.replace(request, access=request.effect) if kind == "none" else request
    assert objection(request) is None
    return Situation(
        request=request,
        accepts=draw(st.sampled_from(Confidentiality)),
        authority=draw(flag),
        foreign=draw(st.sampled_from((False, False, False, True))),
        claimed=draw(st.sampled_from((False, False, True))),
        whole=draw(flag),
        relabels=draw(flag),
        bounded=draw(flag),
    )
