"""What a start may ask for, and where a step finds its hosts."""

from __future__ import annotations

from pathlib import Path

import pytest

from interlock.artifact.errors import SandboxError
from interlock.harness.sandbox.profiles import (
    PROFILES,
    HostGrant,
    JailSpec,
    Limits,
    PathGrant,
    addresses,
    check_spec,
    overlaps,
)
from interlock.harness.sandbox.runtime import runtime_paths

STEP = PROFILES["step"]

BAD_PATHS = [
    "",
    "relative",
    "/",
    "/a/",
    "/a//b",
    "/a/./b",
    "/a/../b",
    "/a/..",
    "/a\0b",
    "/proc",
    "/proc/1",
    "/dev/shm",
    "/sys/x",
    "/etc/ssh",
]


@pytest.mark.parametrize("path", BAD_PATHS)
def test_paths_that_are_not_canonical_or_are_reserved(path: str) -> None:
    for spec in (JailSpec(paths=(PathGrant(path=path),)), JailSpec(programs=(path,)), JailSpec(packages=(path,))):
        with pytest.raises(SandboxError, match=r"sandbox\.grant_path"):
            check_spec(STEP, spec, ())


@pytest.mark.parametrize("host", ["", "UPPER", "a_b", "-a", "a-", "a..b", "a b", "a\nb", "a.", "[::1]", "x" * 254])
def test_hosts_that_are_not_canonical(host: str) -> None:
    with pytest.raises(SandboxError, match=r"sandbox\.grant_host"):
        check_spec(STEP, JailSpec(hosts=(HostGrant(host=host, port=1),)), ())


@pytest.mark.parametrize("port", [0, -1, 65536])
def test_ports_out_of_range(port: int) -> None:
    with pytest.raises(SandboxError, match=r"sandbox\.grant_host"):
        check_spec(STEP, JailSpec(hosts=(HostGrant(host="a.example", port=port),)), ())


@pytest.mark.parametrize("path", ["/opt", "/opt/py", "/opt/py/lib"])
def test_nothing_that_confined_code_runs_may_be_writable(path: str) -> None:
    spec = JailSpec(paths=(PathGrant(path=path, write=True),))
    with pytest.raises(SandboxError, match=r"sandbox\.grant_runtime"):
        check_spec(STEP, spec, ("/opt/py",))
    check_spec(STEP, JailSpec(paths=(PathGrant(path=path),)), ("/opt/py",))
    with pytest.raises(SandboxError, match=r"sandbox\.grant_runtime"):
        check_spec(STEP, JailSpec(paths=spec.paths, programs=("/opt/py",)), ())


MOVABLE = {
    "the package": ("/srv/py", False), "in the package": ("/srv/py/lib", False), "its folder": ("/srv", True),
    "a folder above, free to move": ("/", False), "a folder above, bound": ("/,/srv", True),
}  # fmt: skip


@pytest.mark.parametrize("name", MOVABLE)
def test_a_package_may_lie_where_it_can_be_neither_changed_nor_moved(name: str) -> None:
    writable, admitted = MOVABLE[name]
    paths = tuple(PathGrant(path=f"/top{path}".rstrip("/"), write=True) for path in writable.split(","))
    spec = JailSpec(paths=paths, packages=("/top/srv/py",))
    if admitted:
        check_spec(STEP, spec, ())
    else:
        with pytest.raises(SandboxError, match=r"sandbox\.grant_runtime"):
            check_spec(STEP, spec, ())


@pytest.mark.parametrize("role", [role for role in PROFILES if role != "step"])
def test_no_other_role_takes_grants(role: str) -> None:
    for spec in (
        JailSpec(paths=(PathGrant(path="/srv/a"),)),
        JailSpec(hosts=(HostGrant(host="a", port=1),)),
        JailSpec(programs=("/bin/a",)),
    ):
        with pytest.raises(SandboxError, match=r"sandbox\.grant_role"):
            check_spec(PROFILES[role], spec, ())


def test_no_more_open_files_than_the_report_allows() -> None:
    check_spec(STEP, JailSpec(limits=Limits(files=999)), ())
    with pytest.raises(SandboxError, match=r"sandbox\.limit"):
        check_spec(STEP, JailSpec(limits=Limits(files=1000)), ())


def test_each_name_has_an_address_and_an_address_is_its_own() -> None:
    hosts = (("a.example", 443), ("b.example", 443), ("a.example", 80), ("10.1.2.3", 80))
    spec = JailSpec(hosts=tuple(HostGrant(host=host, port=port) for host, port in hosts))
    found = addresses(spec)
    assert [port for _, port in found] == [443, 443, 80, 80]
    assert found[0][0] == found[2][0] != found[1][0]
    assert found[3][0] == "10.1.2.3"
    many = addresses(JailSpec(hosts=tuple(HostGrant(host=f"h{at}", port=1) for at in range(600))))
    assert len(set(many)) == 600


def test_overlap_is_of_whole_names() -> None:
    assert overlaps("/a/b", "/a")
    assert overlaps("/a", "/a/b")
    assert overlaps("/a", "/a")
    assert not overlaps("/a/bc", "/a/b")


def test_only_helpers_and_steps_see_more_than_the_interpreter() -> None:
    planner, step, gateway = (set(runtime_paths(role)) for role in ("planner", "step", "gateway"))
    assert planner <= step
    assert {"/dev/null"} <= step - planner
    assert not {path for path in planner if path.startswith(("/etc/ssl", "/dev"))}
    assert not planner & {"/", "/etc", "/home", "/root", "/var", str(Path.home())}
    assert planner <= gateway
