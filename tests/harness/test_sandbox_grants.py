"""What a step gets: folders, files, programs and hosts, and nothing beside them."""

from __future__ import annotations

import os
import select
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from interlock.artifact.errors import SandboxError
from interlock.harness.sandbox.profiles import HostGrant, JailSpec, PathGrant
from interlock.harness.supervisor import Supervisor
from support.jails import confined, finish, launch

pytestmark = pytest.mark.sandbox


@pytest.fixture(scope="module")
def supervisor() -> Iterator[Supervisor]:
    with Supervisor(lambda _: None) as found:
        yield found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("read", "write", "write/inner", "beside"):
        (tmp_path / name).mkdir()
    (tmp_path / "read" / "note").write_text("note")
    (tmp_path / "single").write_text("single")
    return Path(os.path.realpath(tmp_path))


def grants(folder: Path, *, write: str = "", read: str = "", execute: bool = False) -> JailSpec:
    paths = [PathGrant(path=str(folder / name), write=True, execute=execute) for name in write.split()]
    return JailSpec(paths=(*paths, *(PathGrant(path=str(folder / name)) for name in read.split())))


def test_a_step_reads_and_writes_what_was_granted(supervisor: Supervisor, folder: Path) -> None:
    source = f"""
        import os
        base = {str(folder)!r}
        print(open(base + "/read/note").read(), open(base + "/single").read(), sorted(os.listdir(base)))
        open(base + "/write/new", "w").write("made")
        os.mkdir(base + "/write/folder")
        os.rename(base + "/write/new", base + "/write/folder/new")
        os.symlink("folder/new", base + "/write/link")
        print(open(base + "/write/link").read())
    """
    done = confined(supervisor, source, spec=grants(folder, write="write", read="read single"))
    assert (done.code, done.violations) == (0, ()), done.err
    assert done.out == "note single ['read', 'single', 'write']\nmade\n"
    made = folder / "write" / "folder" / "new"
    assert made.read_text() == "made"
    assert (made.stat().st_uid, made.stat().st_gid) == (os.getuid(), os.getgid())


@pytest.mark.skipif(not Path("/etc/ssl/certs").is_dir(), reason="this machine keeps its certificates elsewhere")
def test_a_step_knows_the_authorities_that_its_machine_trusts(supervisor: Supervisor) -> None:
    done = confined(supervisor, 'import os; print(sorted(os.listdir("/etc/ssl/certs")))', spec=JailSpec())
    assert (done.code, done.out) == (0, f"{sorted(os.listdir('/etc/ssl/certs'))}\n"), done.err


def test_a_granted_file_may_be_written_alone(supervisor: Supervisor, folder: Path) -> None:
    done = confined(
        supervisor, f"open({str(folder / 'single')!r}, 'a').write('+')", spec=grants(folder, write="single")
    )
    assert done.code == 0, done.err
    assert (folder / "single").read_text() == "single+"


def test_a_grant_inside_a_grant_is_the_narrower_one(supervisor: Supervisor, folder: Path) -> None:
    source = f"""
        for name in ("write/outer", "write/inner/denied"):
            try:
                print(open({str(folder)!r} + "/" + name, "w").write("x"))
            except OSError as error:
                print(error.strerror)
    """
    done = confined(supervisor, source, spec=grants(folder, write="write", read="write/inner"))
    assert done.out == "1\nRead-only file system\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can own files of several users")
def test_root_may_grant_what_another_user_owns(supervisor: Supervisor, folder: Path) -> None:
    os.chown(folder / "write", 4321, 4321)
    (folder / "write").chmod(0o700)
    done = confined(
        supervisor, f"open({str(folder / 'write' / 'new')!r}, 'w').write('x')", spec=grants(folder, write="write")
    )
    assert done.code == 0, done.err
    assert (folder / "write" / "new").stat().st_uid == 4321


@pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user has no uid to give away")
def test_under_root_each_child_has_a_uid_of_its_own(supervisor: Supervisor) -> None:
    children = [launch(supervisor, "import socket; print('up'); socket.socket(fileno=3).recv(1)") for _ in range(2)]
    statuses = [Path(f"/proc/{child.pid}/status") for child in children]
    uids = {line.split()[1] for path in statuses for line in path.read_text().splitlines() if line.startswith("Uid:")}
    assert len(uids) == 2
    assert uids.isdisjoint({"0"})
    assert {path.stat().st_uid for path in statuses} == {0}, "what is not dumpable belongs to root"
    for child in children:
        child.close()


@pytest.mark.parametrize("through", ["link", "linked-parent/note"])
def test_a_grant_that_passes_a_link_is_refused(supervisor: Supervisor, folder: Path, through: str) -> None:
    (folder / "link").symlink_to(folder / "read")
    (folder / "linked-parent").symlink_to(folder / "read")
    with pytest.raises(SandboxError, match=r"sandbox\.layer"):
        supervisor.start("step", grants(folder, read=through))


def test_a_grant_of_what_is_not_there_is_refused_and_the_next_one_works(supervisor: Supervisor, folder: Path) -> None:
    with pytest.raises(SandboxError, match=r"sandbox\.layer"):
        supervisor.start("step", grants(folder, read="missing"))
    assert confined(supervisor, "print(1)", spec=grants(folder, read="read")).out == "1\n"


def test_folders_come_as_descriptors_to_resolve_beneath(supervisor: Supervisor, folder: Path) -> None:
    source = """
        import ctypes, os, stat, struct
        from interlock.harness.sandbox.raw import call
        assert stat.S_ISDIR(os.fstat(4).st_mode)
        def beneath(name):
            return os.read(call("openat2", 4, name, struct.pack("QQQ", 0, 0, 0x08 | 0x04 | 0x02), 24), 99)
        print(beneath(b"note"))
        for name in (b"../beside", b"/etc/hosts", b"link"):
            try:
                beneath(name)
            except OSError as error:
                print(error.strerror)
    """
    (folder / "read" / "link").symlink_to("note")
    done = confined(supervisor, source, spec=grants(folder, read="read"))
    assert done.out.splitlines() == [
        "b'note'",
        "Invalid cross-device link",
        "Invalid cross-device link",
        "Too many levels of symbolic links",
    ], done.err


def test_programs_run_only_where_they_were_granted(supervisor: Supervisor, folder: Path) -> None:
    source = f"""
        import shutil, subprocess
        print(subprocess.run(["/usr/bin/id", "-u"], capture_output=True, text=True).returncode)
        shutil.copy("/usr/bin/true", {str(folder / "write" / "copy")!r})
        try:
            print(subprocess.run([{str(folder / "write" / "copy")!r}]).returncode)
        except OSError as error:
            print(error.strerror)
    """
    programs = ("/usr/bin",)
    plain = grants(folder, write="write")
    done = confined(supervisor, source, spec=JailSpec(paths=plain.paths, programs=programs))
    assert done.out.splitlines() == ["0", "Permission denied"], done.err
    running = grants(folder, write="write", execute=True)
    done = confined(supervisor, source, spec=JailSpec(paths=running.paths, programs=programs))
    assert done.out.splitlines() == ["0", "0"], done.err
    assert done.violations == ()


def test_what_a_step_started_dies_with_it(supervisor: Supervisor) -> None:
    source = """
        import os, subprocess, sys
        held = subprocess.Popen(["/usr/bin/sleep", "1000"], start_new_session=True)
        print("up", flush=True)
        sys.stdin.close()
        import socket
        socket.socket(fileno=3).recv(1)
    """
    child = launch(supervisor, source, spec=JailSpec(programs=("/usr/bin",)))
    assert os.read(child.stdout, 3) == b"up\n"
    inside = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit() and _parent(path) == child.pid]
    assert len(inside) == 1
    sleeper = os.pidfd_open(inside[0])
    child.kill()
    assert select.select([sleeper], [], [], 2)[0]
    os.close(sleeper)
    finish(child)


def _parent(path: Path) -> int:
    try:
        return int((path / "stat").read_text().rsplit(")", 1)[1].split()[1])
    except OSError:
        return -1


def test_hosts_are_found_by_name_at_their_port_and_nowhere_else() -> None:
    told: list[str] = []
    spec = JailSpec(
        hosts=(
            HostGrant(host="api.example.com", port=443),
            HostGrant(host="other.example.com", port=443),
            HostGrant(host="10.1.2.3", port=8080),
        )
    )
    source = """
        import socket
        for name, port in (("api.example.com", 443), ("other.example.com", 443), ("10.1.2.3", 8080)):
            with socket.create_connection((name, port), 5) as end:
                end.sendall(name.encode())
                print(end.recv(100).decode())
        for name, port in (("api.example.com", 80), ("192.0.2.1", 443), ("127.0.0.1", 22)):
            try:
                socket.create_connection((name, port), 5)
            except OSError as error:
                print(error.strerror)
        for kind in ((socket.AF_INET, socket.SOCK_DGRAM), (socket.AF_INET6, socket.SOCK_STREAM), (socket.AF_UNIX, 1)):
            try:
                socket.socket(*kind)
            except OSError as error:
                print(error.strerror)
        try:
            socket.getaddrinfo("www.example.com", 443)
        except OSError as error:
            print("unknown")
    """
    with Supervisor(lambda violation: told.append(f"{violation.syscall} {violation.detail}")) as supervisor:
        child = launch(supervisor, source, spec=spec)
        assert [*child.listeners] == [(host.host, host.port) for host in spec.hosts]
        for (name, _), descriptor in child.listeners.items():
            with socket.socket(fileno=os.dup(descriptor)) as listener:
                end, _ = listener.accept()
                with end:
                    assert end.recv(100).decode() == name
                    end.sendall(b"outside")
        done = finish(child)
    assert done.out.splitlines() == ["outside"] * 3 + ["Operation not permitted"] * 6 + ["unknown"], done.err
    assert told == ["connect 127.77.0.1:80", "connect 192.0.2.1:443", "connect 127.0.0.1:22"]


def test_two_steps_share_no_network() -> None:
    spec = JailSpec(hosts=(HostGrant(host="api.example.com", port=443),))
    source = "import socket; print(socket.create_connection(('api.example.com', 443), 5).recv(9))"
    with Supervisor(lambda _: None) as supervisor:
        first, second = (launch(supervisor, source, spec=spec) for _ in range(2))
        for child, word in ((second, b"second"), (first, b"first")):
            with socket.socket(fileno=os.dup(child.listeners["api.example.com", 443])) as listener:
                end, _ = listener.accept()
                end.sendall(word)
                end.close()
            assert finish(child).out == f"{word!r}\n"


PACKAGE = """
    import os, json, extra_package, extra_package.inner, plain_package.inner
    print(extra_package.word, extra_package.inner.word, plain_package.inner.word)
    try:
        import sibling
    except ModuleNotFoundError:
        print("not beside")
    top = TOP
    open(top + "/written", "w").write("x") if WRITES else None
    for attempt in (
        lambda: open(top + "/packages/extra_package/planted", "w"),
        lambda: os.rename(top + "/packages/extra_package", top + "/packages/other"),
        lambda: os.rename(top + "/packages", top + "/other") if WRITES else open(top + "/planted", "rb"),
    ):
        try:
            attempt()
            print("done")
        except OSError as error:
            print("refused")
"""


@pytest.mark.parametrize("writes", [False, True])
def test_packages_are_found_by_name_last_and_read_only(supervisor: Supervisor, folder: Path, writes: bool) -> None:
    packages = folder / "beside" / "packages"
    for name in ("extra_package", "plain_package", "json"):
        (packages / name).mkdir(parents=True)
    (packages / "json" / "__init__.py").write_text("raise AssertionError")
    (packages / "sibling.py").write_text("raise AssertionError")
    (packages / "extra_package" / "__init__.py").write_text("word = 'imported'")
    for name in ("extra_package", "plain_package"):
        (packages / name / "inner.py").write_text("word = 'inner'")
    paths = tuple(PathGrant(path=str(path), write=True) for path in (folder / "beside", packages))
    spec = JailSpec(
        packages=tuple(str(packages / name) for name in ("extra_package", "json", "plain_package")),
        paths=(*paths, PathGrant(path=str(packages / "extra_package"), hidden=True)) if writes else (),
    )
    source = PACKAGE.replace("TOP", repr(str(folder / "beside"))).replace("WRITES", repr(writes))
    done = confined(supervisor, source, spec=spec)
    assert done.out.splitlines() == ["imported inner inner", "not beside", *["refused"] * 3], done.err
    assert not (packages / "extra_package" / "__pycache__").exists()
    assert (folder / "beside" / "written").exists() is writes
