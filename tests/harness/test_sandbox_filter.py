"""The seccomp programs, run by a small interpreter of classic BPF: for both machines, without a kernel."""

from __future__ import annotations

import errno
import struct
from typing import get_args

import pytest

from interlock.artifact.errors import SandboxError
from interlock.harness.sandbox.bpf import ALLOW, KILL, NOTIFY, Check, Condition, assemble, refuse
from interlock.harness.sandbox.profiles import PROFILES, REPORT, HostGrant, JailSpec, Role
from interlock.harness.sandbox.syscall_rules import _program, is_critical, rules
from interlock.harness.sandbox.syscalls import AUDIT_ARCH, table

ROLES: tuple[Role, ...] = get_args(Role)
MACHINES = sorted(AUDIT_ARCH)


def interpret(program: bytes, arch: int, number: int, arguments: tuple[int, ...] = ()) -> int:
    """What the kernel would do with this call, by the definition of classic BPF."""
    padded = (*arguments, *(0,) * (6 - len(arguments)))
    data = struct.pack("<IIQ6Q", number, arch, 0, *(value & 0xFFFF_FFFF_FFFF_FFFF for value in padded))
    code = [struct.unpack_from("HBBI", program, at) for at in range(0, len(program), 8)]
    at = accumulator = 0
    while True:
        operation, yes, no, value = code[at]
        at += 1
        match operation:
            case 0x20:
                (accumulator,) = struct.unpack_from("<I", data, value)
            case 0x54:
                accumulator &= value
            case 0x05:
                at += value
            case 0x15:
                at += yes if accumulator == value else no
            case 0x35:
                at += yes if accumulator >= value else no
            case 0x06:
                return value
            case _:
                raise AssertionError(f"an instruction {operation:#x}")


def decide(
    role: Role, name: str, *arguments: int, machine: str = "x86_64", runs: bool = False, hosts: bool = False
) -> int:
    program = _program(role, runs, hosts, True, machine)
    return interpret(program, AUDIT_ARCH[machine], table(machine)[name], arguments)


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("role", ROLES)
def test_every_number_gets_what_its_rule_says(role: Role, machine: str) -> None:
    program = _program(role, False, False, True, machine)
    found = rules(PROFILES[role], runs=False, connects=False)
    plain = {name: action for name, action in found.items() if isinstance(action, int)}
    for name, number in table(machine).items():
        if isinstance(found.get(name), Check):
            continue
        assert interpret(program, AUDIT_ARCH[machine], number) == plain.get(name, NOTIFY), name


@pytest.mark.parametrize("machine", MACHINES)
def test_numbers_that_nobody_knows_are_refused(machine: str) -> None:
    program = _program("planner", False, False, True, machine)
    for number in {*range(600)} - {*table(machine).values()}:
        assert interpret(program, AUDIT_ARCH[machine], number) == NOTIFY


@pytest.mark.parametrize("machine", MACHINES)
def test_a_foreign_architecture_and_x32_kill(machine: str) -> None:
    program = _program("step", True, True, True, machine)
    assert interpret(program, 0x4000_0003, 0) == KILL
    assert interpret(program, AUDIT_ARCH[machine], 0x4000_0000) == KILL
    assert interpret(program, AUDIT_ARCH[machine], 0xFFFF_FFFF) == KILL


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("role", ROLES)
def test_no_memory_is_ever_writable_and_executable(role: Role, machine: str) -> None:
    for runs in (False, True):
        for name, arguments in {
            "mmap": [(0, 4096, 7, 2), (0, 4096, 5, 0x22), (0, 4096, 6, 2)],
            "mprotect": [(0, 4096, 7), (0, 4096, 5), (0, 4096, 4)],
        }.items():
            for words in arguments:
                assert decide(role, name, *words, machine=machine, runs=runs) == NOTIFY
    assert decide(role, "mmap", 0, 4096, 5, 2, machine=machine) == ALLOW


CASES = [
    ("planner", "openat", (-100, 0, 0), NOTIFY),
    ("gateway", "openat", (-100, 0, 0), ALLOW),
    ("gateway", "openat", (-100, 0, 1), NOTIFY),
    ("gateway", "openat", (-100, 0, 0o100), NOTIFY),
    ("step", "openat", (-100, 0, 0o101, 0o600), ALLOW),
    ("step", "openat", (-100, 0, 0o101, 0o4755), NOTIFY),
    ("step", "openat", (-100, 0, 0o20200002, 0o2755), NOTIFY),
    ("step", "fchmod", (3, 0o755), ALLOW),
    ("step", "fchmod", (3, 0o6755), NOTIFY),
    ("step", "mkdirat", (-100, 0, 0o2755), NOTIFY),
    ("planner", "clone", (0x3D0F00,), NOTIFY),
    ("step", "clone", (0x3D0F00,), ALLOW),
    ("step", "clone", (17,), NOTIFY),
    ("step", "clone", (0x3D0F00 | 0x2000_0000,), NOTIFY),
    ("step", "clone3", (0, 0), refuse(errno.ENOSYS)),
    ("step", "socket", (2, 1, 0), NOTIFY),
    ("gateway", "socket", (2, 0x80001, 0), ALLOW),
    ("gateway", "socket", (10, 2, 0), ALLOW),
    ("gateway", "socket", (2, 3, 1), NOTIFY),
    ("gateway", "socket", (1, 1, 0), NOTIFY),
    ("planner", "socketpair", (1, 0x80001, 0), ALLOW),
    ("planner", "socketpair", (1, 2, 0), NOTIFY),
    ("planner", "sendmsg", (3,), NOTIFY),
    ("planner", "sendmsg", (REPORT,), ALLOW),
    ("planner", "ioctl", (0, 0x5401), ALLOW),
    ("planner", "ioctl", (0, 0x5412), NOTIFY),
    ("planner", "ioctl", (0, 0xC050_2100), NOTIFY),
    ("planner", "prlimit64", (0, 7, 0), ALLOW),
    ("planner", "prlimit64", (0, 7, 1), NOTIFY),
    ("planner", "prlimit64", (0, 7, 1 << 32), NOTIFY),
    ("planner", "prlimit64", (5, 7, 0), NOTIFY),
    ("planner", "kill", (1, 9), ALLOW),
    ("planner", "kill", (2, 9), NOTIFY),
    ("planner", "prctl", (15,), ALLOW),
    ("planner", "prctl", (1,), NOTIFY),
    ("planner", "fcntl", (3, 8), NOTIFY),
    ("proxy", "accept4", (3,), ALLOW),
    ("gateway", "accept4", (3,), NOTIFY),
    ("proxy", "bind", (3,), NOTIFY),
]


@pytest.mark.parametrize(("role", "name", "arguments", "expected"), CASES)
@pytest.mark.parametrize("machine", MACHINES)
def test_arguments_decide(machine: str, role: Role, name: str, arguments: tuple[int, ...], expected: int) -> None:
    assert decide(role, name, *arguments, machine=machine) == expected


def test_a_step_gets_more_only_by_its_grants() -> None:
    assert decide("step", "execve") == NOTIFY
    assert decide("step", "execve", runs=True) == ALLOW
    assert decide("step", "clone", 17, runs=True) == ALLOW
    assert decide("step", "clone", 17 | 0x1000_0000, runs=True) == NOTIFY
    assert decide("step", "socket", 2, 1, hosts=True) == ALLOW
    assert decide("step", "socket", 2, 2, hosts=True) == NOTIFY
    assert decide("step", "socket", 10, 1, hosts=True) == NOTIFY


def test_without_notification_refusals_are_plain_errors() -> None:
    silent = _program("planner", False, False, False, "x86_64")
    numbers, arch = table("x86_64"), AUDIT_ARCH["x86_64"]
    assert interpret(silent, arch, numbers["execve"]) == refuse(errno.EPERM)
    assert interpret(silent, arch, numbers["openat"], (-100, 0, 0)) == ALLOW
    assert interpret(silent, arch, numbers["openat"], (-100, 0, 1)) == refuse(errno.EPERM)
    assert interpret(silent, arch, numbers["ioctl"], (0, 0x5412)) == refuse(errno.EPERM)


def test_a_long_program_jumps_far() -> None:
    wide = Check(any_of=((Condition(index=0, values=tuple(range(200))),),))
    program = assemble({5: wide, 6: ALLOW, 7: wide, 8: refuse(1)}, NOTIFY, 1)
    assert [interpret(program, 1, number, (199,)) for number in range(4, 10)] == [
        NOTIFY,
        ALLOW,
        ALLOW,
        ALLOW,
        refuse(1),
        NOTIFY,
    ]
    assert interpret(program, 1, 7, (200,)) == NOTIFY


def test_an_unknown_machine_has_no_filter() -> None:
    with pytest.raises(SandboxError, match=r"sandbox\.architecture"):
        table("riscv64")


def test_what_libraries_try_is_no_violation() -> None:
    step, hosts, runs = PROFILES["step"], JailSpec(hosts=(HostGrant(host="a", port=1),)), JailSpec(programs=("/bin",))
    assert is_critical("socket", (2, 1), JailSpec(), step)
    assert not is_critical("socket", (1, 1), hosts, step)
    assert not is_critical("socket", (16, 0x80003), hosts, step)
    assert is_critical("socket", (17, 3), hosts, step)
    assert is_critical("socket", (2, 3), hosts, step)
    assert is_critical("chown", (), JailSpec(), step)
    assert not is_critical("chown", (), runs, step)
    assert is_critical("unshare", (0,), runs, step)
    assert not is_critical("clone", (0x3D0F00,), JailSpec(), PROFILES["planner"])
    assert not is_critical("sched_setaffinity", (), JailSpec(), step)
