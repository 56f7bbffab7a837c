"""Effects: what a step does, part by part, by its manifest and by what the analyst claims of it (gate step 6).

A claim only adds.  One case is decided by the claim alone: a broad action of which every effect is claimed, because
the step is then confined to exactly those.  Each part is decided on as a narrow action that had just this effect would
be; what the harness cannot put back from a snapshot counts as irreversible.

>>> from interlock.artifact.analysis import Analysis
>>> from interlock.artifact.action import Driver, Manifest
>>> run = Manifest(name="run", group="g", sentence="run", effect=Effect.EXECUTE, broad=True,
...                reversibility=Reversibility.IRREVERSIBLE, driver=Driver(name="shell", operation="run"))
>>> claim = Analysis(touched=(Touched(kind="file", name="/w/a", access=Effect.WRITE),))
>>> [(part.effect.value, part.reversibility.value) for part in parts(run, (), claim, ("/w",))]
[('write', 'reversible')]
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

import msgspec

from interlock.artifact.action import Effect, Manifest, Reversibility
from interlock.artifact.analysis import Analysis
from interlock.artifact.resources import Touched, inside

SCRATCH = ("/tmp", "/var/tmp")  # noqa: S108 - a step's own, private and gone with it
_OUTSIDE = frozenset({"endpoint", "recipient", "cloud", "cluster", "registry", "repository"})
_FILES = frozenset({Effect.WRITE, Effect.DELETE})
_WITHIN = frozenset({"environment", "program"})  # Of the step's own processes, of which nothing stays.
_INSTALLED = frozenset(
    {"language", "npm", "pip"}
)  # What a project's own tools put below it, as files that are claimed.


class Part(NamedTuple):
    """One resource, and the effect on it as a narrow action would declare it."""

    resource: Touched
    effect: Effect
    reversibility: Reversibility
    privileged: bool
    external: bool
    broad: bool
    claimed: bool = False


def seen(manifest: Manifest, claim: Analysis | None) -> bool:
    """Whether the claim takes the manifest's place: the action is broad, and all that it would do is known."""
    return manifest.broad and claim is not None and claim.known


def parts(
    manifest: Manifest, declared: Iterable[Touched], claim: Analysis | None, roots: tuple[str, ...],
    registries: Mapping[str, tuple[str, ...]] = {},
) -> tuple[Part, ...]:  # fmt: skip
    """What the step does; at least one part, since an action that touches nothing is decided on as well.

    A registry that packages are fetched from is reached by the end points that the operator names for it.
    """
    whole = seen(manifest, claim)
    own = () if whole else tuple(_declared(manifest, resource) for resource in declared)
    known = {(part.resource.kind, part.resource.name, part.resource.access) for part in own}
    touched = claim.touched if claim is not None else ()
    if whole:
        fetched = [one.name for one in touched if one.kind == "registry" and one.access is Effect.READ]
        served = [place for name in fetched for place in registries.get(name, ())]
        touched += tuple(Touched(kind="endpoint", name=place, access=Effect.READ) for place in dict.fromkeys(served))
    leaks = whole and _reads(touched, roots)
    claimed = [
        claimed_part(resource, roots, leaks=leaks)
        for resource in touched
        if (resource.kind, resource.name, resource.access) not in known
    ]
    if whole:
        return tuple(claimed) or (claimed_part(Touched(kind="none", name="none", access=Effect.READ), roots),)
    nothing = Touched(kind="none", name="none", access=manifest.effect)
    return (*(own or (_declared(manifest, nothing),)), *claimed)


def scratch(resource: Touched, roots: tuple[str, ...]) -> bool:
    """Whether a file is below a temporary folder, where a step has one of its own."""
    return (
        resource.kind == "file"
        and not resource.open
        and any(inside(resource.name, folder) and resource.name != folder for folder in SCRATCH)
        and not within(resource, roots)
    )


def within(resource: Touched, roots: tuple[str, ...]) -> bool:
    """Whether it is a known file below the workspace's roots."""
    return resource.kind == "file" and not resource.open and any(inside(resource.name, root) for root in roots)


def kept(found: Iterable[Part]) -> Iterator[Touched]:
    """The files whose content must be stored before the step may start."""
    for part in found:
        if part.resource.access in _FILES and part.reversibility is Reversibility.REVERSIBLE:
            yield part.resource


def undoable(touched: Iterable[Touched], roots: tuple[str, ...]) -> bool:
    """Whether nothing of these claimed effects stays once their files are put back."""
    ways = {claimed_part(resource, roots).reversibility for resource in touched}
    return ways <= {Reversibility.PURE, Reversibility.REVERSIBLE}


def _declared(manifest: Manifest, resource: Touched) -> Part:
    return Part(
        resource, manifest.effect, manifest.reversibility, manifest.privileged, manifest.external, manifest.broad
    )


def _reads(touched: Iterable[Touched], roots: tuple[str, ...]) -> bool:
    """Whether the step reads a file that it has not made itself."""
    made = {one.name for one in touched if one.kind == "file" and one.access is Effect.WRITE and not one.recursive}
    return any(
        one.kind == "file"
        and one.access in {Effect.READ, Effect.EXECUTE}
        and one.name not in made
        and not scratch(one, roots)
        for one in touched
    )


def claimed_part(resource: Touched, roots: tuple[str, ...], *, leaks: bool = False) -> Part:
    """A claimed effect; that something is run is none of its own, for what it does is claimed as well.

    An end point is served as an opaque stream, so that whatever the step reads (``leaks``) may leave by it.  A registry
    of packages is not served but by the end points that stand for it.
    """
    access, kind = resource.access, resource.kind
    if kind == "endpoint" and resource.name.endswith(":0"):  # A protocol without ports.
        resource = msgspec.structs.replace(resource, open=True)
    running = access is Effect.EXECUTE and kind in {"file", "program"}
    installing = kind == "package" and resource.name in _INSTALLED
    listening = kind == "network" and resource.name.startswith("listen")  # In a network of its own.
    harmless = running or installing or listening or kind in _WITHIN or scratch(resource, roots)
    leaves = leaks and kind == "endpoint" and access is Effect.READ
    return Part(
        resource=resource,
        effect=Effect.READ if harmless else Effect.SEND if leaves else access,
        reversibility=Reversibility.PURE if harmless or access is Effect.READ else _way_back(resource, roots),
        privileged=kind == "privilege" or access is Effect.GRANT_ACCESS,
        external=kind in _OUTSIDE or access is Effect.SEND,
        broad=False,
        claimed=True,
    )


def _way_back(resource: Touched, roots: tuple[str, ...]) -> Reversibility:
    held = resource.access in _FILES and within(resource, roots)
    return Reversibility.REVERSIBLE if held else Reversibility.IRREVERSIBLE
