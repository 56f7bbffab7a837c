"""Policy requests and policy sets for tests: a quiet request, changed where a test is about something."""

from __future__ import annotations

from typing import Any

import msgspec

from interlock.decide.policy import PolicyAnswer, PolicyRequest, PolicySet, compile_policies
from interlock.decide.policy.cases import QUIET

HOME, ROOT = "/home/u", "/home/u/web"


def asking(**changes: Any) -> PolicyRequest:
    """A harmless trusted read of nothing, with the given fields changed; types are not checked."""
    fields = {"action": "files.read", **QUIET, **changes}
    fields.setdefault("access", fields["effect"])
    if "path" in fields:
        fields |= {"kind": "file", "resource": fields.pop("path")}
    if "host" in fields:
        fields |= {"kind": "endpoint", "resource": fields.pop("host")}
    quiet = msgspec.convert({"action": "files.read", "access": "read", **QUIET}, PolicyRequest)
    typed = {name: _typed(name, value) for name, value in fields.items()}
    return msgspec.structs.replace(quiet, **typed)


def _typed(name: str, value: Any) -> Any:
    kind = {field.name: field.type for field in msgspec.structs.fields(PolicyRequest)}[name]
    try:
        return msgspec.convert(value, kind, strict=True)
    except msgspec.ValidationError:
        return value


def short(text: str, **more: Any) -> PolicySet:
    """The policy set of one short-form text without its head line."""
    return compile_policies({}, {"rules.yaml": f"rules:\n{text}"}, **{"home": HOME, "root": ROOT, **more})


def cedar(text: str, **more: Any) -> PolicySet:
    """The policy set of one Cedar text."""
    return compile_policies({"rules.cedar": text}, {}, **{"home": HOME, "root": ROOT, **more})


def said(answer: PolicyAnswer) -> tuple[str, ...]:
    """The decision, then the codes and rules of the reasons: ``("DENY", "policy.denied credentials")``."""
    return (answer.decision.value, *(f"{reason.code} {reason.rule}".strip() for reason in answer.reasons))
