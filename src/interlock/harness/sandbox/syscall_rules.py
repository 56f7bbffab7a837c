"""Which system calls each profile admits: an allow-list by name, with checks of arguments where a name is too much.

What stands in no list is forbidden.  A forbidden call is put to the supervisor, which refuses it and tells
a violation (``CRITICAL``) from a call that libraries try by themselves and that is only counted.
"""

from __future__ import annotations

import errno
import functools
from typing import Final

from interlock.harness.sandbox.bpf import ALLOW, NOTIFY, Action, Check, Condition, assemble, refuse
from interlock.harness.sandbox.profiles import PROFILES, REPORT, JailSpec, Profile, Role
from interlock.harness.sandbox.syscalls import AUDIT_ARCH, MACHINE, table

_BASE: Final = """
read write readv writev pread64 pwrite64 preadv pwritev lseek close close_range dup dup2 dup3 fstat stat lstat
newfstatat statx access faccessat faccessat2 readlink readlinkat getcwd getdents64 poll ppoll select pselect6
epoll_create1 epoll_ctl epoll_wait epoll_pwait epoll_pwait2 eventfd2 pipe pipe2 brk munmap mremap madvise msync
mincore futex futex_waitv sched_yield sched_getaffinity nanosleep clock_nanosleep clock_gettime clock_getres
gettimeofday time times getrusage sysinfo uname getpid gettid getppid getuid geteuid getgid getegid getresuid
getresgid getgroups getrandom rt_sigaction rt_sigprocmask rt_sigreturn rt_sigpending rt_sigtimedwait
rt_sigsuspend sigaltstack restart_syscall set_robust_list rseq set_tid_address membarrier exit
exit_group sendto recvfrom shutdown getsockopt getsockname getpeername timerfd_create timerfd_settime
timerfd_gettime getcpu fadvise64 setitimer getitimer alarm pause capget getpgrp getpgid getsid umask
"""
_FILES: Final = """
openat2 ftruncate truncate fsync fdatasync sync_file_range fallocate mkdir rmdir unlink unlinkat rename
renameat renameat2 link linkat symlink symlinkat utimensat utime utimes futimesat flock statfs fstatfs
chdir fchdir copy_file_range sendfile getxattr lgetxattr fgetxattr listxattr llistxattr flistxattr
"""
_PROGRAMS: Final = """
execve execveat fork vfork wait4 waitid kill tkill tgkill setpgid setsid arch_prctl
"""
# Without a capability, to oneself alone, as unpacking and make do.
_OWNERS: Final = "chown fchown lchown fchownat setresuid setresgid"
_CLIENT: Final = "connect sendmsg recvmsg sendmmsg recvmmsg setsockopt"
_ACCEPT: Final = "accept accept4"

_NEW_NAMESPACES: Final = 0x7E02_0000 | 0x80  # also CLONE_NEWTIME's bit, which clone3 alone could carry
_THREAD: Final = 0x1_0000
_SET_ID_BITS: Final = 0o6000
_CREATES: Final = 0o100 | 0o20000000  # O_CREAT, and the bit that sets O_TMPFILE apart
_IOCTLS: Final = (0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451)  # TCGETS TIOCGWINSZ FIONREAD FIONBIO FIO(N)CLEX
_FCNTLS: Final = (0, 1, 2, 3, 4, 5, 6, 7, 36, 37, 38, 1030, 1031, 1032)
_PRCTLS: Final = (3, 15, 16, 21, 39, 0x5356_4D41)  # get dumpable, set/get name, get seccomp, get no_new_privs, VMA
_UNIX, _INET, _INET6, _NETLINK = 1, 2, 10, 16
_RAW: Final = 3
_SOCKET_TYPE: Final = 0xF

_CRITICAL: Final = """
socket connect bind listen accept accept4 sendmsg recvmsg sendmmsg recvmmsg execve execveat fork vfork clone
ptrace process_vm_readv process_vm_writev process_madvise pidfd_open pidfd_getfd pidfd_send_signal kcmp kill
tkill tgkill rt_sigqueueinfo rt_tgsigqueueinfo unshare setns mount umount2 pivot_root chroot open_tree
move_mount fsopen fsconfig fsmount fspick mount_setattr open_tree_attr name_to_handle_at open_by_handle_at
io_uring_setup io_uring_enter io_uring_register keyctl add_key request_key bpf perf_event_open userfaultfd
memfd_create memfd_secret init_module finit_module delete_module kexec_load kexec_file_load reboot swapon
swapoff sethostname setdomainname settimeofday clock_settime adjtimex clock_adjtime acct syslog quotactl
quotactl_fd iopl ioperm modify_ldt seccomp landlock_create_ruleset landlock_add_rule landlock_restrict_self
capset setuid setgid setreuid setregid setresuid setresgid setfsuid setfsgid setgroups mknod mknodat open
openat openat2 creat mkdir mkdirat rmdir unlink unlinkat rename renameat renameat2 link linkat symlink symlinkat
truncate chmod fchmod fchmodat fchmodat2 chown fchown lchown fchownat
fanotify_init inotify_init inotify_init1 mq_open mq_unlink shmget shmat shmctl semget msgget msgsnd msgrcv
mmap mprotect pkey_mprotect remap_file_pages ioctl prctl arch_prctl vhangup uselib lookup_dcookie
"""
CRITICAL: Final = frozenset(_CRITICAL.split())
"""Forbidden calls that no library makes by itself: one is a violation. The others are refused and counted."""

_TRIED: Final = """
chown fchown lchown fchownat mknod mknodat memfd_create inotify_init inotify_init1 io_uring_setup capset shmget
semget msgget setuid setgid setreuid setregid setresuid setresgid setgroups mmap mprotect ioctl prctl
"""
_TRIED_BY_PROGRAMS: Final = frozenset(_TRIED.split())
"""Of these, calls that ordinary programs make and do without: only counted in a step that runs programs."""


def _check(*conditions: Condition, otherwise: int = NOTIFY) -> Check:
    return Check(any_of=(conditions,), otherwise=otherwise)


def _is(index: int, *values: int, mask: int = 0xFFFF_FFFF, high: bool = False) -> Condition:
    return Condition(index=index, values=values, mask=mask, high=high)


_MEMORY: Final[dict[str, Action]] = {
    # Never writable and executable at once; executable only from a file, and from the start.
    "mmap": Check(any_of=((_is(2, 0, mask=4),), (_is(2, 4, mask=6), _is(3, 0, mask=0x20)))),
    "mprotect": _check(_is(2, 0, mask=4)),
}
_COMMON: Final[dict[str, Action]] = {
    **_MEMORY,
    "ioctl": _check(_is(1, *_IOCTLS)),
    "fcntl": _check(_is(1, *_FCNTLS)),
    "prctl": _check(_is(0, *_PRCTLS)),
    "prlimit64": _check(_is(0, 0), _is(2, 0), _is(2, 0, high=True)),
    "tgkill": _check(_is(0, 1)),
    "kill": _check(_is(0, 1)),
    "socketpair": _check(_is(0, _UNIX), _is(1, 1, 5, mask=0xF)),  # a datagram pair could send to other names
    "sendmsg": _check(_is(0, REPORT)),  # once, before user code; the number cannot come back
    "clone3": refuse(errno.ENOSYS),  # its flags lie behind a pointer; libc then uses clone
}


def _mode_check(index: int) -> Check:
    return _check(_is(index, 0, mask=_SET_ID_BITS))


_FILES_CHECKED: Final[dict[str, Action]] = {
    "open": Check(any_of=((_is(1, 0, mask=_CREATES),), (_is(2, 0, mask=_SET_ID_BITS),))),
    "openat": Check(any_of=((_is(2, 0, mask=_CREATES),), (_is(3, 0, mask=_SET_ID_BITS),))),
    "creat": _mode_check(1),
    "mkdirat": _mode_check(2),
    "chmod": _mode_check(1),
    "fchmod": _mode_check(1),
    "fchmodat": _mode_check(2),
    "fchmodat2": _mode_check(2),
}


def rules(profile: Profile, *, runs: bool, connects: bool) -> dict[str, Action]:
    """System call name to action for a child that ``runs`` programs, ``connects`` to hosts; the rest is forbidden."""
    found: dict[str, Action] = dict.fromkeys(_BASE.split(), ALLOW)
    found.update(_COMMON)
    if profile.threads:
        found["clone"] = _check(_is(0, _THREAD, mask=_THREAD | _NEW_NAMESPACES))
    if profile.paths:
        found.update(dict.fromkeys(_FILES.split(), ALLOW))
        found.update(_FILES_CHECKED)
    elif not profile.opens_watched:
        found["openat"] = _check(_is(2, 0, mask=0o3 | _CREATES | 0o1000))
    if runs:
        found.update(dict.fromkeys((*_PROGRAMS.split(), *_OWNERS.split()), ALLOW))
        found["clone"] = _check(_is(0, 0, mask=_NEW_NAMESPACES & ~0x80))
        found["prlimit64"] = _check(_is(0, 0))
    if connects or profile.network == "host":
        found.update(dict.fromkeys(_CLIENT.split(), ALLOW))
        found["socket"] = _sockets(profile)
        if profile.network == "own" and not runs:
            del found["connect"]  # the sensor lets granted hosts through
    if profile.role == "proxy":
        found.update(dict.fromkeys(_ACCEPT.split(), ALLOW))
    return found


def _sockets(profile: Profile) -> Check:
    stream = (_is(0, _INET), _is(1, 1, mask=_SOCKET_TYPE))
    if profile.network == "own":
        return _check(*stream)
    return _check(_is(0, _INET, _INET6), _is(1, 1, 2, mask=_SOCKET_TYPE))


def program(profile: Profile, spec: JailSpec, *, notify: bool) -> bytes:
    """The seccomp program of one child; without notification, refusals are silent and opens unwatched."""
    return _program(profile.role, bool(spec.programs), bool(spec.hosts), notify)


@functools.cache
def _program(role: Role, runs: bool, connects: bool, notify: bool, machine: str = MACHINE) -> bytes:
    numbers = table(machine)
    found = rules(PROFILES[role], runs=runs, connects=connects)
    if not notify:
        unwatched: dict[str, Action] = {"connect": ALLOW if connects else refuse(errno.EPERM)}
        found = unwatched | {name: _silent(action) for name, action in found.items()}
        found.setdefault("openat", _check(_is(2, 0, mask=0o3 | _CREATES | 0o1000), otherwise=refuse(errno.EPERM)))
    known = {numbers[name]: action for name, action in found.items() if name in numbers}
    return assemble(known, NOTIFY if notify else refuse(errno.EPERM), AUDIT_ARCH[machine])


def prepare(role: Role, *, notify: bool) -> None:
    """Assemble every program that children of ``role`` may need, ahead of them."""
    grants = (False, True) if PROFILES[role].paths else (False,)
    for runs in grants:
        for connects in grants:
            _program(role, runs, connects, notify)


def _silent(action: Action) -> Action:
    if isinstance(action, Check):
        return Check(any_of=action.any_of, otherwise=refuse(errno.EPERM))
    return action


def is_critical(name: str, arguments: tuple[int, ...], spec: JailSpec, profile: Profile) -> bool:
    """Whether this refused call is a violation.

    What the C library tries by itself is not: a thread where none may start, terminal ioctls, and, in a child
    that resolves names or runs programs, sockets to name services and interface lists.
    """
    if spec.programs and name in _TRIED_BY_PROGRAMS:
        return False
    connected = bool(spec.hosts or spec.programs) or profile.network == "host"
    match name:
        case "clone":
            return arguments[0] & _THREAD == 0
        case "ioctl":
            return arguments[1] & 0xFFFF_FFFF == 0x5412  # noqa: PLR2004 - TIOCSTI
        case "prctl":
            return arguments[0] & 0xFFFF_FFFF in {1, 4, 22, 24, 28, 35, 47, 0x5961_6D61}
        case "mmap" | "mprotect" | "pkey_mprotect":
            return arguments[2] & 6 == 6  # noqa: PLR2004 - PROT_WRITE | PROT_EXEC
        case "socket" if connected:
            family, kind = arguments[0], arguments[1] & _SOCKET_TYPE
            return family not in {_UNIX, _NETLINK} and (family not in {_INET, _INET6} or kind == _RAW)
        case _:
            return name in CRITICAL
