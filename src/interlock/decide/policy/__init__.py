"""Policy: default deny, forbid wins, a confirmation in between; see ``engine`` for the guarantees.

>>> from interlock.artifact.action import Effect, Reversibility
>>> rules = "rules:\\n  - allow: files.read\\n    path: ./**\\n    id: own-files\\n"
>>> policies = compile_policies({}, {"rules.yaml": rules}, home="/home/u", root="/home/u/web")
>>> request = PolicyRequest(
...     principal="ann", action="files.read", effect=Effect.READ, reversibility=Reversibility.PURE,
...     kind="file", resource="/home/u/web/a.txt", access=Effect.READ, cost=0,
... )
>>> answer = policies.evaluate(request)
>>> answer.decision.value, answer.reasons[0].rule
('ALLOW', 'own-files')
"""

from interlock.decide.policy.cases import CaseResult, run_cases
from interlock.decide.policy.engine import PolicySet, compile_policies
from interlock.decide.policy.request import PolicyAnswer, PolicyRequest, RuleOrigin
from interlock.decide.policy.source import PolicyFileError

__all__ = [
    "CaseResult",
    "PolicyAnswer",
    "PolicyFileError",
    "PolicyRequest",
    "PolicySet",
    "RuleOrigin",
    "compile_policies",
    "run_cases",
]
