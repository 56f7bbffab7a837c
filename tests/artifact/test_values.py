"""What the values themselves say: actions, arguments, entries, snapshots, errors."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import pkgutil
from types import ModuleType
from typing import Any

import msgspec
import pytest

import interlock.artifact
import interlock.decide
from interlock.artifact import arguments, codec, entry, snapshot
from interlock.artifact.action import Argument, Driver, Effect, Manifest, Reversibility
from interlock.artifact.arguments import ArgumentError
from interlock.artifact.credentials import names_credential
from interlock.artifact.errors import CodecError, InterlockError, SeparationViolation
from interlock.artifact.snapshot import SnapshotEntry
from support.samples import DIGEST, ENTRY, MANIFEST, SNAPSHOT


def test_a_violation_passes_through_whatever_catches_exceptions() -> None:
    with pytest.raises(SeparationViolation) as caught, contextlib.suppress(Exception):
        raise SeparationViolation("separation.socket", "a socket")
    assert (caught.value.code, str(caught.value)) == ("separation.socket", "separation.socket: a socket")
    assert not issubclass(SeparationViolation, InterlockError)


def test_an_error_says_what_and_what_next() -> None:
    assert str(InterlockError("a.b", "it broke")) == "a.b: it broke"
    assert str(InterlockError("a.b", "it broke", hint="mend it")) == "a.b: it broke (mend it)"


def structs(package: ModuleType) -> list[type]:
    names = [each.name for each in pkgutil.walk_packages(package.__path__, package.__name__ + ".")]
    modules = [importlib.import_module(name) for name in names if not name.endswith("_pb2")]
    found = {id(kind): kind for module in modules for kind in vars(module).values() if isinstance(kind, type)}
    own = [kind for kind in found.values() if kind.__module__ in names]
    return [kind for kind in own if issubclass(kind, msgspec.Struct) or dataclasses.is_dataclass(kind)]


def is_frozen(kind: type) -> bool:
    config = kind.__struct_config__ if issubclass(kind, msgspec.Struct) else kind.__dataclass_params__  # type: ignore[attr-defined]
    return bool(config.frozen)


PROOF = {
    "AtMost",
    "Contradiction",
    "Encoded",
    "Flag",
    "Holds",
    "Join",
    "Language",
    "Matches",
    "Not",
    "OneOf",
    "Places",
    "Reaches",
    "Shape",
    "_Translation",
}


@pytest.mark.parametrize(
    ("package", "positional"),
    [
        (interlock.artifact, set()),
        (interlock.decide, {"Literal", "Reference", "Call", "Bound", "Examined", "Asked", "AskedStep"} | PROOF),
    ],
)
def test_every_value_is_frozen_and_keyword_only(package: ModuleType, positional: set[str]) -> None:
    found = structs(package)
    assert len(found) >= 20
    assert [kind.__name__ for kind in found if not is_frozen(kind)] == []
    assert {kind.__name__ for kind in found if getattr(kind, "__match_args__", ())} == positional


def test_every_artifact_refuses_what_it_does_not_know() -> None:
    assert all(kind.__struct_config__.forbid_unknown_fields for kind in structs(interlock.artifact))  # type: ignore[attr-defined]


def test_a_manifest_is_named_with_its_version() -> None:
    assert MANIFEST.reference == "resize_database@3"


NAMES: dict[bool, list[str]] = {
    True: [
        ".env", "a/.env.local", "/x/tls.pem", "k.key", "a.p12", "a.pfx", "id_rsa", "id_rsa.pub", "id_ed25519", ".npmrc",
        "b/.pypirc", ".netrc", ".pgpass", ".git-credentials", "credentials.json", ".ssh/known_hosts", "/h/.aws/x/y",
        ".gnupg/a", "/h/.kube/config", ".azure/a", "/h/.config/gcloud/a",
    ],
    False: ["", "env", "a.env", ".ENV", "x.pem/readme", ".ssh", "a.ssh/b", ".sshx/b", ".config/a", "config/gcloud/a", "a/.env.example"],
}  # fmt: skip


@pytest.mark.parametrize("holds", NAMES)
def test_files_that_hold_credentials_are_known_by_name_or_folder(holds: bool) -> None:
    assert [path for path in NAMES[holds] if names_credential(path) is not holds] == []


# ---- arguments ----------------------------------------------------------------------------------------


def manifest(**schema: Argument) -> Manifest:
    driver = Driver(name="files", operation="read")
    return Manifest(
        name="a", group="g", sentence="s", effect=Effect.READ, reversibility=Reversibility.PURE,
        arguments=schema, driver=driver,
    )  # fmt: skip


OK: dict[str, tuple[Argument, Any]] = {
    "a string": (Argument(type="string", pattern="[a-c]+"), "abc"),
    "an integer at its bounds": (Argument(type="integer", minimum=1, maximum=1), 1),
    "a boolean": (Argument(type="boolean"), False),
    "a list of choices": (Argument(type="list", choices=("a", "b"), max_length=2), ["a", "b"]),
    "a list of integers": (Argument(type="list", items="integer"), [1]),
    "an empty list": (Argument(type="list", choices=("a",)), []),
    "an object": (Argument(type="object"), {"k": [1]}),
}
BAD: dict[str, tuple[Argument, Any, str]] = {
    "a bool for an integer": (Argument(type="integer"), True, "argument.type"),
    "a bool in a list of integers": (Argument(type="list", items="integer"), [True], "argument.type"),
    "an integer for a bool": (Argument(type="boolean"), 1, "argument.type"),
    "a list for a string": (Argument(type="string"), ["a"], "argument.type"),
    "null": (Argument(type="string"), None, "argument.type"),
    "a list for an object": (Argument(type="object"), [], "argument.type"),
    "too long a string": (Argument(type="string", max_length=1), "ab", "argument.length"),
    "too long a list": (Argument(type="list", max_length=1), ["a", "b"], "argument.length"),
    "too small": (Argument(type="integer", minimum=2), 1, "argument.range"),
    "too large": (Argument(type="integer", maximum=2), 3, "argument.range"),
    "no choice": (Argument(type="string", choices=("a",)), "b", "argument.choice"),
    "no choice among items": (Argument(type="list", choices=("a",)), ["a", "b"], "argument.choice"),
    "a pattern that matches the start alone": (Argument(type="string", pattern="a"), "ab", "argument.pattern"),
    "a pattern before a line feed": (Argument(type="string", pattern="a$"), "a\n", "argument.pattern"),
    "a digit beyond ASCII": (Argument(type="string", pattern=r"\d"), "\u0661", "argument.pattern"),
    "a pattern on an item": (Argument(type="list", pattern="a"), ["a", "b"], "argument.pattern"),
}


@pytest.mark.parametrize("case", OK)
def test_an_argument_within_its_schema(case: str) -> None:
    schema, value = OK[case]
    arguments.validate(manifest(x=schema), {"x": value})
    assert arguments.is_literal(value)


@pytest.mark.parametrize("case", BAD)
def test_an_argument_outside_its_schema(case: str) -> None:
    schema, value, code = BAD[case]
    with pytest.raises(ArgumentError) as caught:
        arguments.validate(manifest(x=schema), {"x": value})
    assert caught.value.code == code


def test_arguments_are_exactly_those_of_the_manifest() -> None:
    found = manifest(x=Argument(type="string"), y=Argument(type="string", required=False))
    arguments.validate(found, {"x": "a"})
    with pytest.raises(ArgumentError, match=r"argument\.unknown"):
        arguments.validate(found, {"x": "a", "X": "a"})
    with pytest.raises(ArgumentError, match=r"argument\.missing"):
        arguments.validate(found, {"y": "a"})
    arguments.validate_known(found, {}, ["x"])


@pytest.mark.parametrize("value", [{"$ref": "s1.output"}, [{"a": {"$ref": "x"}}], ({"$x": 1},)])
def test_an_expression_is_no_literal(value: Any) -> None:
    assert not arguments.is_literal(value)


# ---- entries and snapshots ----------------------------------------------------------------------------


def test_an_entry_commits_to_its_payload_and_its_leaf_is_its_canonical_form() -> None:
    draft = msgspec.structs.replace(ENTRY, subject=entry.step_subject(DIGEST["task"], "s1", 2))
    sealed = entry.seal(draft, b"s" * entry.SALT_BYTES, b"payload")
    assert sealed.commitment != entry.seal(draft, b"t" * entry.SALT_BYTES, b"payload").commitment
    assert (sealed.plan, sealed.subject) == (DIGEST["task"], f"{DIGEST['task']}/s1/2")
    leaf = entry.leaf_of(sealed)
    assert entry.parse_leaf(leaf) == sealed
    with pytest.raises(CodecError):
        entry.parse_leaf(leaf + b" ")


@pytest.mark.parametrize(("field", "value"), [("commitment", ""), ("subject", "x" * 257), ("task", "a\u200b")])
def test_an_entry_that_could_not_be_read_back_is_not_written(field: str, value: str) -> None:
    with pytest.raises(CodecError):
        entry.leaf_of(msgspec.structs.replace(ENTRY, **{field: value}))


def test_a_snapshot_is_sorted_paged_and_compared_by_path() -> None:
    files = [SnapshotEntry(path=f"/d/{n:04}", kind="file", sha256=DIGEST["task"]) for n in reversed(range(3000))]
    found = snapshot.snapshot(["/d", "/a", "/d"], files)
    assert found.roots == ("/a", "/d")
    assert [each.path for each in found.entries] == sorted(each.path for each in files)
    assert [len(page) for page in found.pages] == [2048, 952]
    assert found.digests == {DIGEST["task"]}
    assert snapshot.decode(codec.encode(found)) == found
    gone = snapshot.snapshot(["/a", "/d"], [*files[1:], SnapshotEntry(path="/a", kind="absent")])
    assert snapshot.differences(found, gone) == ("/a", files[0].path)
    assert snapshot.differences(found, found) == ()


def test_names_in_a_snapshot_are_data() -> None:
    named = snapshot.snapshot(["/d"], [SnapshotEntry(path="/d/\u202ee\u0301\n", kind="absent")])
    assert snapshot.decode(codec.encode(named)) == named
    assert snapshot.decode(codec.encode(SNAPSHOT)) == SNAPSHOT
