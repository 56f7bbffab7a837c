"""What a manifest may not say at once, since one half of it would be decided on and the other half done.

The catalogue refuses such a manifest when it is read, and the gate denies a step of one all the same.
"""

from __future__ import annotations

from collections.abc import Iterator

from interlock.artifact.action import Effect, Manifest, Reversibility, Role

_UNSNAPPABLE = frozenset({Effect.SEND, Effect.SPEND, Effect.GRANT_ACCESS})
RELABELLING = "flow."
_LEFT_ALONE = frozenset({Effect.READ, Effect.EXECUTE})


def contradictions(manifest: Manifest) -> Iterator[str]:
    """Each contradiction as half a sentence for the manifest's author; none for a manifest that can be decided on."""
    changing = {resource.kind for resource in manifest.resources if resource.access is not Effect.READ}
    accesses = {manifest.effect, *(resource.access for resource in manifest.resources)}
    match manifest.reversibility:
        case Reversibility.PURE if manifest.effect not in _LEFT_ALONE or changing:
            yield "it is called pure and changes something"
        case Reversibility.REVERSIBLE if accesses & _UNSNAPPABLE or changing - {"file"}:
            yield "it is called reversible, and no snapshot can hold what it changes"
        case Reversibility.COMPENSABLE if manifest.inverse is None:
            yield "it is called compensable and names no inverse"
        case _:
            pass
    if manifest.effect is Effect.READ and changing:
        yield "its effect is read, and it changes a resource"
    if any(other.action.startswith(RELABELLING) for other in (manifest.inverse, manifest.preview) if other is not None):
        yield "its inverse or its preview would lower a label"
    yield from _arguments(manifest)


def _arguments(manifest: Manifest) -> Iterator[str]:
    needed = {name for name, argument in manifest.arguments.items() if argument.required}
    if not needed.issuperset(manifest.scope.values()):
        yield "its scope rests on an argument that a step may leave out"
    decided = {resource.name for resource in manifest.resources if resource.kind == "url"}
    if any(argument.role is Role.URL and f"{{{name}}}" not in decided for name, argument in manifest.arguments.items()):
        yield "a URL among its arguments is no resource of kind url, so nobody would decide on where it leads"
