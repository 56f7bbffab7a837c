"""Below a folder that was decided on as a whole: what the gate says of each path in it by itself (decision 0074).

A claim may name a folder with all below it.  Rules of the form ``**/NAME`` say nothing of the folder, and would ask for
or deny a path in it.  So what policy and floor would not simply allow by itself is withheld from a step that reads the
folder, and refused where a step that writes the folder has changed it.  A reason that was said of the step before
counts no more: a person has heard it.

What was published lies in folders of packages, where names mean nothing.  A rule that speaks of reading a file as well
protects what it holds, and has nothing to say of one that was not there.  What git puts into a repository that it makes
is git's own, as long as no other program runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple, TypeAlias

import msgspec

from interlock.artifact.action import Effect
from interlock.artifact.label import Confidentiality
from interlock.artifact.resources import Touched, inside
from interlock.artifact.verdict import Decision, Reason
from interlock.decide.checks import out_of_reach, policy_requests
from interlock.decide.effects import claimed_part
from interlock.decide.evidence import Evidence
from interlock.decide.flow import View
from interlock.decide.globs import matches_any
from interlock.decide.policy import PolicySet
from interlock.decide.secrets import CREDENTIAL_PATHS

_PUBLISHED = frozenset({"node_modules", "site-packages", "dist-packages"})
Said: TypeAlias = frozenset[tuple[str, str, str]]


class Change(NamedTuple):
    """One path that a step has changed; ``made`` where nothing stood there before, ``gone`` where nothing does now."""

    path: str
    made: bool = False
    gone: bool = False


def published(path: str) -> bool:
    """Whether a path lies in a folder of packages that others have published."""
    return not _PUBLISHED.isdisjoint(path.split("/"))


def said(reasons: Iterable[Reason]) -> Said:
    """What reasons would ask or deny, without the step that they are about."""
    return frozenset(
        (one.code, one.rule, one.field) for one in reasons if one.decision not in {Decision.ALLOW, Decision.MODIFY}
    )


class Gate:
    """The gate's word on single paths of one step; ``heard`` is what was said of the step as a whole."""

    def __init__(self, view: View, evidence: Evidence, policy: PolicySet, heard: Said) -> None:
        self._view = view
        self._evidence = evidence
        self._policy = policy
        self._heard = heard
        self._known: dict[object, Said] = {}
        changed = [one for one in view.touched if one.kind == "file" and one.access is not Effect.READ]
        self._named = frozenset(one.name for one in changed)
        self._removed = tuple(one.name for one in changed if one.access is Effect.DELETE and one.recursive)

    def withheld(self, paths: Iterable[str]) -> Iterator[str]:
        """Those that the step may not read although it reads their folder."""
        home = self._evidence.site.home
        open_to = self._view.held.confidentiality is not Confidentiality.RESTRICTED
        for path in paths:
            if self._fresh(path, Effect.READ) or (open_to and matches_any(CREDENTIAL_PATHS, path, home)):
                yield path

    def unasked(self, changes: Iterable[Change]) -> Iterator[str]:
        """Those that the step may not have changed although it writes their folder."""
        changes = list(changes)
        made = {change.path for change in changes if change.made}
        for change in changes:
            if published(change.path) or self._claimed(change) or (change.made and self._of_git(change.path, made)):
                continue
            found = self._fresh(change.path, Effect.DELETE if change.gone else Effect.WRITE)
            if change.made and found:
                found -= self._fresh(change.path, Effect.READ)
            if found:
                yield change.path

    def _claimed(self, change: Change) -> bool:
        """Whether the claim names the path itself, or its removal with a whole folder."""
        removed = change.gone and any(inside(change.path, folder) for folder in self._removed)
        return removed or change.path in self._named

    def _of_git(self, path: str, made: set[str]) -> bool:
        repository = path.rpartition("/.git/")[0]
        alone = self._view.claim is not None and self._view.claim.programs == ("git",)
        return bool(repository) and alone and f"{repository}/.git" in made

    def _fresh(self, path: str, access: Effect) -> Said:
        """What gate and policy say of one path, unless it was said of the step."""
        resource = Touched(kind="file", name=path, access=access)
        alike = access, self._policy.aspect(path, folder=access is not Effect.READ)
        if alike not in self._known:
            part = claimed_part(resource, self._evidence.site.roots)
            alone = msgspec.structs.replace(self._view, parts=(part,))
            answers = self._policy.evaluate_many([*policy_requests(alone, self._evidence)])
            self._known[alike] = said(reason for answer in answers for reason in answer.reasons) - self._heard
        floor = () if access is Effect.READ else out_of_reach(resource, self._evidence)
        return self._known[alike].union((code, "", "") for code in floor)
