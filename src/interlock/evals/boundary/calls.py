"""Items as calls of a running workspace: shipped actions where they fit, and declared ones for tools that nobody ships.

A shell line becomes ``shell.run`` with ``bash -c``; files and requests become the shipped actions for them.  Any other
tool is declared by its shape, as ``interlock eval corpus`` declares it, and carried out by a package whose function
notes the call in the project's outbox where its step may write there.  What fits neither is ``Unmapped``.

>>> call_of(Item(kind="shell", action=Call(type="execute_command", args={"command": "ls"}))).action
'shell.run@1'
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from interlock.artifact import codec
from interlock.artifact.action import Driver, Effect, Manifest, Output, Resource
from interlock.artifact.codec import Json
from interlock.artifact.label import join_all
from interlock.decide.contradictions import contradictions
from interlock.evals import shapes
from interlock.evals.deciding import arguments, label_of, visible
from interlock.evals.items import Call, Item
from interlock.harness.catalogue import ActionFile

PACKAGE: Final = "closed_world_tools"
OUTBOX: Final = "outbox/calls.jsonl"
GROUPS: Final = ("files", "http", "shell", "git", shapes.GROUP)

_CODE: Final = '''"""Tools of a closed world: each call is noted where its step may write."""

import json


def carry_out(arguments, context):
    """Note the call and say so."""
    del context
    noted = True
    try:
        with open({outbox!r}, "a", encoding="utf-8") as outbox:
            outbox.write(json.dumps(dict(arguments), sort_keys=True) + "\\n")
    except OSError:
        noted = False
    return {{"carriedOut": True, "noted": noted}}
'''


class Mapped(msgspec.Struct, frozen=True, kw_only=True):
    """One step to propose; ``manifest`` where the world has to declare its action."""

    action: str
    arguments: dict[str, Json]
    manifest: Manifest | None = None


class Unmapped(msgspec.Struct, frozen=True, kw_only=True):
    """Why an item is no call that this world could carry out."""

    reason: str


# What the items' names for file tools stand for, by the arguments that they must have exactly.
_FILES: Final[Mapping[str, tuple[str, Mapping[str, str]]]] = {
    "read_file": ("files.read@1", {"path": "path"}),
    "cat": ("files.read@1", {"file_name": "path"}),
    "write_file": ("files.write@1", {"path": "path", "content": "content"}),
    "delete_file": ("files.delete@1", {"path": "path"}),
    "search_files": ("files.search@1", {"path": "path", "pattern": "pattern"}),
    "copy_file": ("files.copy@1", {"source": "source", "destination": "destination"}),
    "cp": ("files.copy@1", {"source": "source", "destination": "destination"}),
    "move_file": ("files.move@1", {"source": "source", "destination": "destination"}),
    "mkdir": ("files.mkdir@1", {"path": "path"}),
}
_ALIASES: Final = {"file_path": "path", "filename": "path"}


def call_of(item: Item) -> Mapped | Unmapped:
    """The call that an item stands for."""
    if len(item.calls) != 1:
        return Unmapped(reason="not one call")
    [call] = item.calls
    found = arguments(call)
    match item.kind:
        case "text":
            return Unmapped(reason="a text and no call")
        case "shell" if "command" in found and found.get("shell") not in {None, "bash", "sh"}:
            return Unmapped(reason="for a shell that is not there")
        case "shell" if "command" in found:
            return Mapped(action="shell.run@1", arguments={"argv": ["bash", "-c", found["command"]], "directory": "."})
        case "http" if isinstance(found.get("url"), str):
            return _request(found)
        case _:
            return _file(call, found) or _declared(item, call, found)


def _request(found: Mapping[str, Json]) -> Mapped | Unmapped:
    body = found.get("body", found.get("body_contains"))
    method = str(found.get("method") or ("GET" if body is None else "POST")).upper()
    kept = {name: found[name] for name in ("url", "headers") if found.get(name)}
    match method:
        case "GET":
            return Mapped(action="http.get@1", arguments=kept)
        case "POST":
            text = body if isinstance(body, str) else json.dumps(body)
            return Mapped(action="http.post@1", arguments={**kept, "body": text})
        case _:
            return Unmapped(reason="for a method that no shipped action has")


def _file(call: Call, found: Mapping[str, Json]) -> Mapped | None:
    if call.type not in _FILES:
        return None
    action, names = _FILES[call.type]
    same = {_ALIASES.get(name, name) if name not in names else name: value for name, value in found.items()}
    if same.keys() != names.keys():
        return None
    return Mapped(action=action, arguments={names[name]: value for name, value in same.items()})


def _declared(item: Item, call: Call, found: dict[str, Json]) -> Mapped | Unmapped:
    """By its shape; a tool that the item's agent was not given belongs to no group that can be loaded."""
    manifest = shapes.manifest(call.type, found)
    given = item.context.scope.get("tools")
    told = [label_of(call.result_labels)] if call.result_labels else []
    noted = () if manifest.effect is Effect.READ or manifest.broad else (_outbox(),)
    manifest = msgspec.structs.replace(
        manifest,
        group="other" if isinstance(given, list) and call.type not in given else shapes.GROUP,
        output=Output(label=join_all([manifest.output.label, *told])),
        resources=(*manifest.resources, *noted),
        driver=Driver(name="python", package=PACKAGE, operation=f"{PACKAGE}:carry_out"),
        timeout_ms=5000,
    )
    if list(contradictions(manifest)):
        return Unmapped(reason="a tool that cannot be declared")
    return Mapped(action=manifest.reference, arguments=found, manifest=manifest)


def _outbox() -> Resource:
    return Resource(kind="file", name=OUTBOX, access=Effect.WRITE)


def proposed(item: Item, call: Mapped) -> bytes:
    """What a planner that was taken over proposes: this call, under the goal that it was given."""
    step = {"id": "s1", "action": call.action, "arguments": call.arguments}
    return codec.encode({"goal": goal_of(item)[:4096], "steps": [step]})


def goal_of(item: Item) -> str:
    """What the person asked for."""
    return visible(item.goal or item.context.user_goal or "no goal was told")[:16_384]


def declared(calls: Sequence[Mapped]) -> tuple[list[Mapped], list[Manifest]]:
    """The calls by the names of their tools' manifests, and these; each shape of a tool is a version of its own."""
    versions: dict[str, list[Manifest]] = {}
    named: list[Mapped] = []
    for call in calls:
        if call.manifest is None:
            named.append(call)
            continue
        known = versions.setdefault(call.manifest.name, [])
        if call.manifest not in known:
            known.append(call.manifest)
        reference = f"{call.manifest.name}@{known.index(call.manifest) + 1}"
        named.append(msgspec.structs.replace(call, action=reference))
    shaped = [(one, at) for known in versions.values() for at, one in enumerate(known, 1)]
    return named, [msgspec.structs.replace(one, version=at) for one, at in shaped]


def install(manifests: Sequence[Manifest], folder: Path, project: Path) -> Path:
    """Write the package that carries these manifests' actions out; returns its folder."""
    package = folder / PACKAGE
    package.mkdir(parents=True, exist_ok=True)
    (package / "__init__.py").write_text(_CODE.format(outbox=str(project / OUTBOX)), "utf-8")
    (package / "interlock.json").write_bytes(codec.encode(ActionFile(actions=tuple(manifests))))
    return package
