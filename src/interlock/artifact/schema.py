"""JSON Schemas (draft 2020-12) of every artifact, generated from the types that the codec enforces.

The files under ``docs/spec`` are the published contract; a test holds them to this module and to the digests
recorded for their versions, so that a change without a new version fails.  A schema says what is admitted at
the least; the codec's domain (RFC 7493 without floats, NFC, nothing hidden) and the canonical form, in which
every field is spelled out, are said in ``docs/spec/README.md``.

    python -m interlock.artifact.schema --check docs/spec
    python -m interlock.artifact.schema --write docs/spec
"""

from __future__ import annotations

import inspect
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, cast

import msgspec

from interlock.artifact import codec
from interlock.artifact.action import Manifest
from interlock.artifact.approval import Approval
from interlock.artifact.bundle import BundleHead, Disclosure
from interlock.artifact.certificate import Certificate
from interlock.artifact.codec import Json
from interlock.artifact.entry import Entry
from interlock.artifact.label import Label
from interlock.artifact.plan import Plan, Proposal
from interlock.artifact.receipt import Receipt
from interlock.artifact.signing import Envelope, Keyring, Statement
from interlock.artifact.snapshot import Snapshot
from interlock.artifact.task import Task
from interlock.artifact.verdict import Verdict

BASE: Final = "https://interlock.dev/spec"
VERSIONS: Final[Mapping[type, int]] = {
    Approval: 1,
    BundleHead: 1,
    Certificate: 1,
    Disclosure: 1,
    Entry: 1,
    Envelope: 1,
    Keyring: 1,
    Label: 1,
    Manifest: 1,
    Plan: 1,
    Proposal: 1,
    Receipt: 1,
    Snapshot: 1,
    Statement: 1,
    Task: 1,
    Verdict: 1,
}
_JSON: Final[Json] = {
    "description": "Any value of the codec's domain: no floats, integers of at most 53 bits, bounded everywhere.",
    "type": ["null", "boolean", "integer", "string", "array", "object"],
    "minimum": -codec.MAX_INTEGER,
    "maximum": codec.MAX_INTEGER,
    "maxLength": codec.MAX_STRING,
    "maxItems": codec.MAX_ITEMS,
    "maxProperties": codec.MAX_ITEMS,
    "items": {"$ref": "#/$defs/Json"},
    "additionalProperties": {"$ref": "#/$defs/Json"},
}


def schemas() -> Mapping[str, bytes]:
    """The content of each published file by its name, such as ``plan.v1.schema.json``."""
    return {f"{kind.__name__.lower()}.v{version}.schema.json": _file(kind) for kind, version in VERSIONS.items()}


def schema(kind: type) -> bytes:
    """The schema of one artifact in one line, as a planner is handed that of ``Proposal``."""
    return codec.encode(_schema(kind))


def _file(kind: type) -> bytes:
    name = f"{kind.__name__.lower()}.v{VERSIONS[kind]}.schema.json"
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": f"{BASE}/{name}"}
    return json.dumps({**head, **_schema(kind)}, indent=2, ensure_ascii=False).encode() + b"\n"


def _schema(kind: type) -> dict[str, Json]:
    raw = cast("dict[str, Json]", msgspec.json.schema(kind))
    found = {key: _published(key, value) for key, value in raw.items()}
    definitions = cast("dict[str, Json]", found["$defs"])
    if b"#/$defs/Json" in codec.encode(definitions):
        definitions["Json"] = _JSON
    return {**found, "$defs": dict(sorted(definitions.items()))}


def _published(key: str, value: Json) -> Json:
    """A part of a schema: ``\\Z`` is ECMA's ``$``, what admits anything admits the domain, words are not indented."""
    match key, value:
        case (("default" | "enum" | "const"), _):
            return value
        case "pattern", str():
            return value.replace(r"\Z", "$")
        case "description", str():
            return inspect.cleandoc(value)
        case (("properties" | "$defs"), dict()):
            return {name: _subschema(each) for name, each in value.items()}
        case (("items" | "additionalProperties" | "propertyNames"), dict()):
            return _subschema(value)
        case (("anyOf" | "prefixItems"), list()):
            return [_subschema(each) for each in value]
        case _:
            return value


def _subschema(value: Json) -> Json:
    fields = cast("Mapping[str, Json]", value)
    if not fields.keys() - {"default"}:
        return {**fields, "$ref": "#/$defs/Json"}
    found = {key: _published(key, each) for key, each in fields.items()}
    if fields.get("type") == "object" and not fields.keys() & {"properties", "additionalProperties"}:
        found["additionalProperties"] = {"$ref": "#/$defs/Json"}
    return found


def differences(folder: Path) -> Iterator[str]:
    """The files of ``folder`` that are missing, stale, or published by nobody."""
    wanted = schemas()
    for name, content in wanted.items():
        path = folder / name
        if not path.is_file() or path.read_bytes() != content:
            yield name
    yield from sorted({path.name for path in folder.glob("*.schema.json")} - wanted.keys())


def main(arguments: list[str]) -> int:
    """``--write FOLDER`` or ``--check FOLDER``; 0, or 1 with the names of files that differ, or 2."""
    match arguments:
        case ["--write", folder]:
            for name, content in schemas().items():
                (Path(folder) / name).write_bytes(content)
            return 0
        case ["--check", folder]:
            stale = list(differences(Path(folder)))
            sys.stderr.writelines(f"{name} is not what the types say\n" for name in stale)
            return int(bool(stale))
        case _:
            sys.stderr.write("usage: python -m interlock.artifact.schema --check|--write FOLDER\n")
            return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
