"""Flow: what may reach whom, seen statically at the gate; each name is a way in which data tries to get out."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.judging import (
    HOME,
    PRIVATE,
    ROOT,
    SECRET,
    SITE,
    TASK,
    UNTRUSTED,
    codes,
    evidence,
    judge,
    manifest,
    step,
)

from interlock.artifact.action import Effect, Reversibility
from interlock.artifact.label import CLEAN, Confidentiality, Integrity, Label, join
from interlock.artifact.plan import ForEach
from interlock.artifact.resources import Touched, canonical_host, canonical_path, inside
from interlock.artifact.verdict import Decision
from interlock.decide.effects import parts
from interlock.decide.evidence import PathLabel
from interlock.decide.flow import literal_label, reads
from interlock.decide.globs import fixed_part, matches, matches_any
from interlock.decide.secrets import CREDENTIAL_PATHS, secret_shaped

SEND = {"url": "https://known.example/", "body": "hello"}
REF = {"$ref": "s1.output.text"}


def test_a_secret_that_is_read_may_not_be_sent() -> None:
    verdict = judge(step("s1", "secret@1"), step("s2", "send@1", arguments=SEND | {"body": REF}))
    assert verdict.decision is Decision.DENY
    assert "flow.restricted_leaves" in codes(verdict)


def test_a_secret_that_the_planner_saw_and_retypes_may_not_be_sent() -> None:
    verdict = judge(step("s1", "send@1", arguments=SEND), known=evidence(received=SECRET))
    assert "flow.restricted_leaves" in codes(verdict)


def test_private_data_may_not_reach_a_sink_that_takes_less() -> None:
    verdict = judge(step("s1", "private@1"), step("s2", "send@1", arguments=SEND | {"body": REF}))
    assert "flow.sink_limit" in codes(verdict)


def test_private_data_may_not_leave_through_a_condition() -> None:
    condition = {"$eq": [{"$ref": "s1.output.flag"}, 1]}
    verdict = judge(step("s1", "private@1"), step("s2", "send@1", arguments=SEND, when=condition))
    assert "flow.sink_limit" in codes(verdict)


def test_private_data_may_not_leave_through_a_loop() -> None:
    loop = ForEach(items={"$ref": "s1.output.rows"}, at_most=3)
    verdict = judge(step("s1", "private@1"), step("s2", "send@1", arguments=SEND, for_each=loop))
    assert "flow.sink_limit" in codes(verdict)


def test_private_data_may_not_leave_through_a_step_that_depends_on_a_guarded_one() -> None:
    condition = {"$eq": [{"$ref": "s1.output.flag"}, 1]}
    verdict = judge(
        step("s1", "private@1"),
        step("s2", "read@1", arguments={"path": "notes.txt"}, when=condition),
        step("s3", "send@1", arguments=SEND, needs=("s2",)),
    )
    assert "flow.sink_limit" in codes(verdict)


def test_a_page_may_not_choose_where_something_is_written_or_sent() -> None:
    page = step("s1", "page@1", arguments={"url": "https://known.example/"})
    writes = judge(page, step("s2", "write@1", arguments={"path": REF, "content": "x"}))
    sends = judge(page, step("s2", "send@1", arguments=SEND | {"url": REF}))
    reads = judge(page, step("s2", "page@1", arguments={"url": REF}))
    assert all("flow.untrusted_authority" in codes(verdict) for verdict in (writes, sends, reads))


def test_a_page_may_fill_a_file() -> None:
    page = step("s1", "page@1", arguments={"url": "https://known.example/"})
    verdict = judge(page, step("s2", "write@1", arguments={"path": "notes.txt", "content": REF}))
    assert verdict.decision is Decision.ALLOW


def test_a_page_may_not_decide_whether_something_is_written() -> None:
    page = step("s1", "page@1", arguments={"url": "https://known.example/"})
    guarded = step("s2", "write@1", arguments={"path": "notes.txt", "content": "x"}, when={"$eq": [REF, "y"]})
    assert "flow.untrusted_shape" in codes(judge(page, guarded))


def test_after_untrusted_observation_literals_and_shape_are_untrusted() -> None:
    known = evidence(received=UNTRUSTED)
    other = judge(step("s1", "write@1", arguments={"path": "other.txt", "content": "x"}), known=known)
    assert codes(other) == {"flow.untrusted_authority", "flow.untrusted_shape"}
    reading = judge(step("s1", "read@1", arguments={"path": "other.txt"}), known=known)
    assert reading.decision is Decision.ALLOW


@pytest.mark.parametrize(
    ("value", "clean"),
    [
        ("notes.txt", True), ("do it", True), ("notes", False), ("notes.txt ", False), (["notes.txt"], True),
        (["notes.txt", "x"], False), ({"a": "do it"}, False), ({"do it": "notes.txt"}, True), ([], False), ({"a": "x"}, False), (7, False), (None, False), (True, False),
    ],
)  # fmt: skip
def test_a_literal_regains_integrity_only_by_equality(value: object, clean: bool) -> None:
    known = evidence(received=join(UNTRUSTED, PRIVATE))
    label = literal_label(value, known)  # type: ignore[arg-type]
    assert (label.integrity is Integrity.TRUSTED) is clean
    assert label.confidentiality is Confidentiality.PRIVATE


def test_a_number_that_the_principal_supplied_is_the_principals() -> None:
    task = msgspec.structs.replace(TASK, values=("42",))
    assert not literal_label(42, evidence(received=UNTRUSTED, task=task)).untrusted


@pytest.mark.parametrize(("action", "arguments"), [("run@1", {"command": "ls"}), ("send@1", SEND), ("secret@1", {})])
def test_a_tainted_task_raises_what_is_risky(action: str, arguments: dict[str, str]) -> None:
    page = step("s1", "page@1", arguments={"url": "https://known.example/"})
    assert "flow.tainted_task" in codes(judge(page, step("s2", action, arguments=arguments)))


def test_the_trifecta_is_raised() -> None:
    verdict = judge(
        step("s1", "page@1", arguments={"url": "https://known.example/"}),
        step("s2", "private@1"),
        step("s3", "page@1", arguments={"url": "https://known.example/"}),
    )
    assert "flow.trifecta" in codes(verdict)


def test_credential_files_are_restricted_by_default_and_rules_and_history_add() -> None:
    site = msgspec.structs.replace(
        SITE, roots=(ROOT, HOME), labels=(PathLabel(path="people/**", label=PRIVATE), PathLabel(path="x", label=CLEAN))
    )
    carried = {"file:/srv/work/out/made.txt": SECRET}
    known = evidence(site=site, carried=carried)

    def sent(path: str) -> set[str]:
        reading = step("s1", "read@1", arguments={"path": path})
        return codes(judge(reading, step("s2", "send@1", arguments=SEND | {"body": REF}), known=known))

    assert "flow.restricted_leaves" in sent("~/.ssh/id_rsa")
    assert "flow.restricted_leaves" in sent("app/.env")
    assert "flow.restricted_leaves" in sent("out/made.txt")
    assert "flow.restricted_leaves" in sent("out")
    assert "flow.sink_limit" in sent("people/list.csv")
    assert sent("notes.txt") == {"floor.irreversible"}


@pytest.mark.parametrize(
    ("access", "others", "effect", "found"),
    [
        (Effect.READ, (), Effect.WRITE, True), (Effect.EXECUTE, (), Effect.WRITE, True),
        (Effect.WRITE, (), Effect.WRITE, False), (Effect.WRITE, (), Effect.READ, True),
        (Effect.WRITE, (), Effect.EXECUTE, True), (Effect.DELETE, (), Effect.DELETE, False),
        (Effect.DELETE, (Effect.WRITE,), Effect.WRITE, True), (Effect.DELETE, (Effect.DELETE,), Effect.WRITE, False),
        (Effect.WRITE, (Effect.WRITE,), Effect.WRITE, False),
    ],
)  # fmt: skip
def test_what_is_read_or_moved_has_its_label_taken_along(
    access: Effect, others: tuple[Effect, ...], effect: Effect, found: bool
) -> None:
    touching = manifest("a", effect, Reversibility.REVERSIBLE)
    declared = tuple(Touched(kind="file", name=f"/{at}", access=one) for at, one in enumerate((access, *others)))
    first, *rest = parts(touching, declared, None, ("/",))
    assert reads(first, (first, *rest)) is found


@pytest.mark.parametrize(
    ("scopes", "arguments", "crosses"),
    [
        (("tenant=acme",), {"tenant": "acme", "text": REF}, False),
        (("tenant=acme",), {"tenant": "bolt", "text": REF}, True),
        (("tenant=acme", "tenant=bolt"), {"tenant": "acme", "text": REF}, True),
    ],
)
def test_a_value_does_not_reach_another_scope(
    scopes: tuple[str, ...], arguments: dict[str, object], crosses: bool
) -> None:
    site = msgspec.structs.replace(
        SITE,
        scope={"tenant": ("acme", "bolt")},
        labels=(PathLabel(path="a.txt", label=Label(scopes=scopes)),),
    )
    reading = step("s1", "read@1", arguments={"path": "a.txt"})
    verdict = judge(reading, step("s2", "scoped@1", arguments=arguments), known=evidence(site=site))
    assert ("flow.other_scope" in codes(verdict)) is crosses


@pytest.mark.parametrize(("scope", "crosses"), [({"tenant": "acme"}, False), ({}, True)])
def test_within_a_task_the_tasks_own_scope_counts(scope: dict[str, str], crosses: bool) -> None:
    site = msgspec.structs.replace(SITE, labels=(PathLabel(path="a.txt", label=Label(scopes=("tenant=acme",))),))
    known = evidence(site=site, task=msgspec.structs.replace(TASK, scope=scope))
    reading = step("s1", "read@1", arguments={"path": "a.txt"})
    verdict = judge(reading, step("s2", "write@1", arguments={"path": "b", "content": REF}), known=known)
    assert ("flow.other_scope" in codes(verdict)) is crosses


@pytest.mark.parametrize(
    ("path", "found"),
    [("a/../b", "/srv/work/b"), ("/x//y/", "/x/y"), ("//etc/passwd", "/etc/passwd"), ("~", HOME), ("~/a", f"{HOME}/a")],
)
def test_paths_become_canonical(path: str, found: str) -> None:
    assert canonical_path(path, root=ROOT, home=HOME) == found


@pytest.mark.parametrize(
    "url",
    [
        "ftp://a/", "https://", "https://a@b/", "https://a\\b/", "https://a b/", "https://exämple.org/", "file:///etc",
        "https://a:99999/", "https://[::1", "https://a:0x50/", "//a/b", "https://_x/",
    ],
)  # fmt: skip
def test_urls_that_are_not_plain_have_no_host(url: str) -> None:
    verdict = judge(step("s1", "page@1", arguments={"url": url}))
    assert "resource.url" in codes(verdict)


@pytest.mark.parametrize(
    ("url", "host"),
    [("https://A.example./x", "a.example:443"), ("http://a.example:8080/?q", "a.example:8080"), ("http://h/", "h:80")],
)
def test_urls_become_host_and_port(url: str, host: str) -> None:
    assert canonical_host(url) == host


def test_inside_means_the_folder_or_below() -> None:
    assert inside("/a", "/a") and inside("/a/b", "/a") and inside("/x", "/")
    assert not inside("/ab", "/a")


@pytest.mark.parametrize(
    ("glob", "path", "hit"),
    [
        ("~/.ssh/**", "/base/.ssh", True), ("~/.ssh/**", "/base/.ssh/a/b", True), ("~/.ssh/**", "/base/.sshx", False),
        ("**/*.pem", "/a/b/c.pem", True), ("**/*.pem", "/c.pem", True), ("**/*.pem", "/a/c.pem.txt", False),
        ("a/*.txt", "/base/a/x.txt", True), ("a/*.txt", "/base/a/b/x.txt", False), ("/etc/?", "/etc/x", True),
        ("/etc/?", "/etc/xy", False), ("a.b", "/base/aXb", False), ("a/**/b", "/base/a/b", True), ("x**", "/base/xa/b", True),
    ],
)  # fmt: skip
def test_globs_are_exact(glob: str, path: str, hit: bool) -> None:
    assert matches(glob, path, "/base") is hit


NAMES = st.sampled_from(["a", "b.pem", ".netrc", "id_rsa.pub", ".ssh", "credentials"])
GLOBS = st.lists(NAMES | st.sampled_from(["*", "**", "*.pem", "id_*"]), min_size=1, max_size=4).map("/".join)


@settings(deadline=None)
@given(st.lists(GLOBS | st.sampled_from(CREDENTIAL_PATHS)).map(tuple), st.lists(NAMES, min_size=1, max_size=4))
def test_one_of_many_globs_matches_where_one_alone_does(globs: tuple[str, ...], segments: list[str]) -> None:
    path = "/" + "/".join(segments)
    assert matches_any(globs, path, "/a") == any(matches(glob, path, "/a") for glob in globs)


@pytest.mark.parametrize(
    ("glob", "folder"),
    [
        ("/a/b", "/a/b"), ("/a/*/c", "/a"), ("/a/b*/c", "/a"), ("/a/?b/c", "/a"), ("/a/**", "/a"), ("**/*.pem", "/"),
        ("/*", "/"), ("~/.ssh/**", "/base/.ssh"), ("a/*.txt", "/base/a"),
    ],
)  # fmt: skip
def test_the_fixed_part_of_a_glob_ends_before_its_first_wildcard(glob: str, folder: str) -> None:
    assert fixed_part(glob, "/base") == folder


def test_content_of_a_credentials_shape() -> None:
    key = "AKIA" + "ABCDEFGHIJKLMNOP"
    assert secret_shaped({"a": [f"x {key}"]}) and secret_shaped({key: 1})
    assert not secret_shaped({"a": ["AKIA is a prefix", 1, None]})
