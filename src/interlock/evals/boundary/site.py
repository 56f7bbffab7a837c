"""Sites: the workspace folder that an item's scope names, and what is protected there; a project at home by default."""

from __future__ import annotations

import posixpath
from typing import Final, cast

import msgspec

from interlock.evals.boundary.closed import HOME
from interlock.evals.items import Item

_ALLOWED: Final = ("/home/", "/srv/", "/workspace", "/opt/")


class Site(msgspec.Struct, frozen=True, kw_only=True):
    """One workspace of the closed world."""

    folder: str = f"{HOME}/project"
    protected: tuple[str, ...] = ()


def site_of(item: Item) -> Site:
    """The site of an item's scope; a folder that the closed world has no place for is the project at home."""
    scope = item.context.scope
    named = posixpath.normpath(str(scope.get("workspace") or scope.get("cwd") or Site().folder))
    paths = scope.get("protected_paths")
    protected = [str(path) for path in cast("list[object]", paths)] if isinstance(paths, list) else []
    return Site(
        folder=named if named.startswith(_ALLOWED) else Site().folder,
        protected=tuple(f"file:{one if one.startswith(('/', '**')) else f'**/{one}'}" for one in protected),
    )
