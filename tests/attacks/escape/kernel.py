"""Attempts on the kernel itself: namespaces, mounts, keys, memory, ids, and what only a root may do."""

from __future__ import annotations

from attacks.escape.attempt import Attempt, any_user, not_shown, root_only

_MACHINE_WIDE = "it would change this machine"

KERNEL: dict[str, Attempt] = {
    "make a user namespace": any_user('call("unshare", 0x10000000) == 0'),
    "make a mount namespace": root_only('call("unshare", 0x20000) == 0'),
    "make a network namespace": root_only('call("unshare", 0x40000000) == 0'),
    "share no more files": any_user('call("unshare", 0x400) == 0'),
    "mount memory": root_only('call("mount", b"none", b"/tmp", b"tmpfs", 0, 0) == 0'),
    "mount processes": root_only('call("mount", b"none", b"/tmp", b"proc", 0, 0) == 0'),
    "bind the root elsewhere": root_only('call("mount", b"/", b"/tmp", b"none", 0x1000, 0) == 0'),
    "make a mount writable": root_only('call("mount", b"none", b"/", b"none", 0x20, 0) == 0'),
    "unmount": root_only("""
        call("mount", b"none", b"/tmp", b"tmpfs", 0, 0)
        return call("umount2", b"/tmp", 2) == 0
    """),
    "unmount the private folder": not_shown('call("umount2", b"/tmp", 2) == 0', because="nothing is mounted there"),
    "change a mount's attributes": root_only(
        'call("mount_setattr", AT, b"/", 0, buffer(struct.pack("QQQQ", 2, 0, 0, 0)), 32) == 0'
    ),
    "clone a mount": root_only('call("open_tree", AT, b"/", 1) >= 0'),
    "hold a place": any_user('call("open_tree", AT, T["secret"].encode(), 0) >= 0'),
    "attach a mount": root_only('call("move_mount", call("open_tree", AT, b"/", 1), b"", AT, b"/tmp", 4) == 0'),
    "open a file system": root_only('call("fsopen", b"tmpfs", 0) >= 0'),
    "pick a file system": root_only('call("fspick", AT, b"/", 0) >= 0'),
    "change the root": root_only('os.chroot("/") is None'),
    "pivot the root": root_only("""
        call("mount", b"none", b"/tmp", b"tmpfs", 0, 0)
        os.chdir("/tmp")
        return call("pivot_root", b".", b".") == 0
    """),
    "set up io_uring": any_user('call("io_uring_setup", 4, buffer(b"", 120)) >= 0'),
    "reach the session's keyring": any_user('call("keyctl", 0, -3, 1) >= 0'),
    "add a key": any_user('call("add_key", b"user", b"planted", b"x", 1, -2) >= 0'),
    "request a key": not_shown('call("request_key", b"user", b"planted", 0, 0) >= 0', because="there is no such key"),
    "handle page faults": root_only('call("userfaultfd", 0) >= 0'),
    "load a BPF map": root_only('call("bpf", 0, buffer(struct.pack("IIII", 2, 4, 4, 1), 128), 128) >= 0'),
    "count events": root_only("""
        return call("perf_event_open", buffer(struct.pack("II", 1, 128), 128), 0, -1, -1, 0) >= 0
    """),
    "map writable code": any_user("mmap.mmap(-1, 4096, prot=7)"),
    "map code from nothing": any_user("mmap.mmap(-1, 4096, prot=5)"),
    "make memory writable and executable": any_user("""
        at = libc.mmap
        at.restype, at.argtypes = ctypes.c_void_p, [ctypes.c_void_p, *[ctypes.c_long] * 5]
        return call("mprotect", at(None, 4096, 3, 0x22, -1, 0), 4096, 7) == 0
    """),
    "make written memory executable": any_user("""
        at = libc.mmap
        at.restype, at.argtypes = ctypes.c_void_p, [ctypes.c_void_p, *[ctypes.c_long] * 5]
        return call("mprotect", at(None, 4096, 3, 0x22, -1, 0), 4096, 5) == 0
    """),
    "make written memory executable under a key": any_user("""
        at = libc.mmap
        at.restype, at.argtypes = ctypes.c_void_p, [ctypes.c_void_p, *[ctypes.c_long] * 5]
        return call("pkey_mprotect", at(None, 4096, 3, 0x22, -1, 0), 4096, 7, -1) == 0
    """),
    "make a file in memory": any_user('call("memfd_create", b"m", 0) >= 0'),
    "hide memory": not_shown('call("memfd_secret", 0) >= 0', because="not every kernel has it switched on"),
    "lock memory": root_only('call("mlockall", 1) == 0'),
    "become another user": root_only("os.setresuid(12345, 12345, 12345) is None"),
    "become the same user again": any_user("os.setuid(os.getuid()) is None"),
    "join groups": root_only("os.setgroups([1]) is None"),
    "change the file-system uid": any_user('call("setfsuid", os.getuid()) >= 0'),
    "set capabilities": any_user("""
        return call("capset", buffer(struct.pack("Ii", 0x20080522, 0)), buffer(bytes(24))) == 0
    """),
    "hold a capability": root_only("""
        sets = ctypes.create_string_buffer(24)
        call("capget", buffer(struct.pack("Ii", 0x20080522, 0)), ctypes.addressof(sets))
        return any(sets.raw)
    """),
    "change how programs are laid out": any_user('call("personality", 0x0040000) >= 0'),
    "change segments": not_shown('call("modify_ldt", 0, buffer(b"", 64), 64) >= 0', because="not every kernel has it"),
    "reach hardware ports": not_shown('call("iopl", 3) == 0', because="kernels in lock-down refuse even root"),
    "filter system calls again": any_user("""
        call("prctl", 38, 1, 0, 0, 0)
        allow = buffer(struct.pack("HBBI", 6, 0, 0, 0x7FFF0000))
        return call("seccomp", 1, 0, buffer(struct.pack("HxxxxxxQ", 1, allow))) == 0
    """),
    "take a second listener": any_user("""
        call("prctl", 38, 1, 0, 0, 0)
        allow = buffer(struct.pack("HBBI", 6, 0, 0, 0x7FFF0000))
        return call("seccomp", 1, 8, buffer(struct.pack("HxxxxxxQ", 1, allow))) >= 0
    """),
    "filter by prctl": any_user("""
        call("prctl", 38, 1, 0, 0, 0)
        allow = buffer(struct.pack("HBBI", 6, 0, 0, 0x7FFF0000))
        return call("prctl", 22, 2, buffer(struct.pack("HxxxxxxQ", 1, allow)), 0, 0) == 0
    """),
    "make another Landlock domain": any_user("""
        return call("landlock_create_ruleset", buffer(struct.pack("Q", 1)), 8, 0) >= 0
    """),
    "read the kernel's log": root_only('call("syslog", 3, buffer(b"", 64), 64) >= 0'),
    "name the machine": root_only('call("sethostname", b"planted", 7) == 0'),
    "name the domain": root_only('call("setdomainname", b"planted", 7) == 0'),
    "set the clock": not_shown(
        'call("settimeofday", buffer(struct.pack("qq", int(time.time()), 0)), 0) == 0', because=_MACHINE_WIDE
    ),
    "tune the clock": not_shown('call("adjtimex", buffer(b"", 256)) >= 0', because="reading alone would be no proof"),
    "switch accounting": not_shown('call("acct", 0) == 0', because=_MACHINE_WIDE),
    "restart the machine": not_shown('call("reboot", 0xFEE1DEAD, 672274793, 0, 0) == 0', because=_MACHINE_WIDE),
    "swap": not_shown('call("swapon", b"/dev/null", 0) == 0', because=_MACHINE_WIDE),
    "load a kernel module": not_shown('call("init_module", 0, 0, b"") == 0', because=_MACHINE_WIDE),
    "load another kernel": not_shown('call("kexec_load", 0, 0, 0, 0) == 0', because=_MACHINE_WIDE),
    "open a message queue": any_user("""
        held = call("mq_open", T["abstract"].encode(), os.O_CREAT | os.O_RDWR, 0o600, 0)
        return held >= 0 and call("mq_unlink", T["abstract"].encode()) == 0
    """),
    "make shared memory": any_user('call("shmctl", call("shmget", 0, 4096, 0o1600), 0, 0) == 0'),
    "make a semaphore": any_user('call("semctl", call("semget", 0, 1, 0o1600), 0, 0) == 0'),
    "make a System V queue": any_user('call("msgctl", call("msgget", 0, 0o1600), 0, 0) == 0'),
    "push characters into a terminal": not_shown(
        "fcntl.ioctl(0, 0x5412, b'x') == 0", because="the kernel may have the call switched off"
    ),
    "be told by signal": any_user("fcntl.fcntl(3, fcntl.F_SETOWN, os.getpid()) == 0"),
    "watch a folder by signal": any_user("""
        return fcntl.fcntl(os.open("/usr/lib", os.O_RDONLY), fcntl.F_NOTIFY, 1) == 0
    """),
    "hang up the terminal": not_shown('call("vhangup") == 0', because="it would end this session's terminal"),
}
