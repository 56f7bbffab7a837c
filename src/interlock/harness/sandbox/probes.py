"""Canaries: what a confined process must not be able to do, tried by the process itself.

A probe is one system call with arguments that would succeed without the sandbox.  ``DIRECT`` ones are refused
by the kernel alone and run at each start before the child reports; ``WATCHED`` ones are refused by the
supervisor, which also shows that it sees them.  ``FULL`` is what ``doctor`` runs.  Any success is fatal.
"""

from __future__ import annotations

import errno
import os
from typing import Final

import msgspec

from interlock.harness.sandbox import raw
from interlock.harness.sandbox.profiles import Role

_CWD: Final = -100


class Probe(msgspec.Struct, frozen=True, kw_only=True):
    """One call that must fail; ``name`` says in words what it tries."""

    name: str
    syscall: str
    arguments: tuple[int | bytes, ...]


def _probe(name: str, syscall: str, *arguments: int | bytes) -> Probe:
    return Probe(name=name, syscall=syscall, arguments=arguments)


_READ_ENVIRONMENT: Final = _probe("read another's environment", "openat", _CWD, b"/proc/1/environ", 0)
_READ_HOST: Final = _probe("read the host's files", "openat", _CWD, b"/etc/shadow", 0)
_LIST_HOST: Final = _probe("list the host's folders", "openat", _CWD, b"/var", os.O_DIRECTORY)
_WRITE: Final = _probe("write a file", "openat", _CWD, b"/canary", os.O_CREAT | os.O_WRONLY, 0o600)
_SOCKET: Final = _probe("open a socket", "socket", 16, 3, 0)
_EXECUTE: Final = _probe("run a program", "execve", b"/usr/bin/true", 0, 0)
_UNSHARE: Final = _probe("make namespaces", "unshare", raw.NEW_USER)

DIRECT: Final[dict[Role, tuple[Probe, ...]]] = {"step": (_READ_ENVIRONMENT, _WRITE)}
WATCHED: Final[dict[Role, tuple[Probe, ...]]] = {
    "planner": (_READ_HOST, _WRITE, _SOCKET, _EXECUTE, _UNSHARE),
    "executor": (_READ_HOST, _WRITE, _SOCKET, _EXECUTE, _UNSHARE),
    "analyst": (_READ_HOST, _WRITE, _SOCKET, _EXECUTE, _UNSHARE),
    "step": (_UNSHARE,),
    "gateway": (_WRITE, _SOCKET, _EXECUTE, _UNSHARE),
    "proxy": (_WRITE, _SOCKET, _EXECUTE, _UNSHARE),
    "notifier": (_WRITE, _SOCKET, _EXECUTE, _UNSHARE),
}
FULL: Final = (
    _READ_ENVIRONMENT,
    _READ_HOST,
    _LIST_HOST,
    _WRITE,
    _SOCKET,
    _EXECUTE,
    _UNSHARE,
    _probe("open an internet socket of raw kind", "socket", 2, 3, 1),
    _probe("open a packet socket", "socket", 17, 3, 0),
    _probe("open a vsock", "socket", 40, 1, 0),
    _probe("open a unix socket", "socket", 1, 1, 0),
    _probe("signal every process", "kill", -1, 0),
    _probe("trace a process", "ptrace", 16, 1, 0, 0),
    _probe("read a process's memory", "process_vm_readv", 1, 0, 0, 0, 0, 0),
    _probe("take a descriptor of a process", "pidfd_open", 1, 0),
    _probe("mount a file system", "mount", b"none", b"/", b"tmpfs", 0, 0),
    _probe("change the root", "chroot", b"/"),
    _probe("set up io_uring", "io_uring_setup", 8, bytes(120)),
    _probe("use the keyring", "keyctl", 0, -3, 1),
    _probe("handle page faults", "userfaultfd", 0),
    _probe("load a BPF program", "bpf", 0, 0, 0),
    _probe("count events of the processor", "perf_event_open", bytes(128), 0, -1, -1, 0),
    _probe("map writable code", "mmap", 0, 4096, 7, 0x22, -1, 0),
    _probe("make a file in memory", "memfd_create", b"m", 0),
    _probe("change its uid", "setuid", 0),
    _probe("push characters into a terminal", "ioctl", 0, 0x5412, b"x"),
    _probe("live on after its parent", "prctl", 1, 0),
    _probe("become traceable", "prctl", 4, 1),
    _probe("see host processes", "kill", 2, 0),
)


def refused(probe: Probe) -> bool:
    """Try it; whether the call failed, and not for want of the call itself."""
    result = raw.attempt(probe.syscall, *probe.arguments)
    return result < 0 and result != -errno.ENOSYS


def refused_by_supervisor(probe: Probe) -> bool:
    """Try it; whether it got the supervisor's refusal and nothing else: a listener that is gone gives ENOSYS."""
    return raw.attempt(probe.syscall, *probe.arguments) == -errno.EPERM
