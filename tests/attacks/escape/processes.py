"""Attempts to start, see, stop, trace or read another process."""

from __future__ import annotations

from attacks.escape.attempt import Attempt, any_user, not_shown, root_only

PROCESSES: dict[str, Attempt] = {
    "fork": any_user("""
        if (pid := os.fork()) == 0:
            os._exit(0)
        return ends_well(pid)
    """),
    "fork by a raw clone": any_user("""
        pid = libc.syscall({"x86_64": 56, "aarch64": 220}[os.uname().machine], 17, 0, 0, 0, 0)
        if pid == 0:
            os._exit(0)
        return pid > 0 and ends_well(pid)
    """),
    "fork by clone3": any_user("""
        pid = call("clone3", buffer(struct.pack("8Q", 0, 0, 0, 0, 17, 0, 0, 0)), 64)
        if pid == 0:
            os._exit(0)
        return ends_well(pid)
    """),
    "clone into new namespaces": root_only("""
        pid = libc.syscall({"x86_64": 56, "aarch64": 220}[os.uname().machine], 0x20000000 | 17, 0, 0, 0, 0)
        if pid == 0:
            os._exit(0)
        return pid > 0 and ends_well(pid)
    """),
    "spawn": any_user('ends_well(os.posix_spawn("/bin/true", ["true"], {}))'),
    "run a program": any_user("""
        import subprocess
        return subprocess.run(["/bin/true"]).returncode == 0
    """),
    "run a shell": any_user('os.system("true") == 0'),
    "become another program": any_user("""
        if not T["jailed"] and (pid := os.fork()):
            return ends_well(pid)
        os.execve("/bin/true", ["true"], {})
    """),
    "become a program by descriptor": any_user("""
        if not T["jailed"] and (pid := os.fork()):
            return ends_well(pid)
        call("execveat", os.open("/bin/true", os.O_RDONLY), b"", 0, 0, 0x1000)
    """),
    "run a program from memory": any_user("""
        held = call("memfd_create", b"m", 0)
        os.write(held, open(T["program"], "rb").read())
        if not T["jailed"] and (pid := os.fork()):
            return ends_well(pid)
        call("execveat", held, b"", buffer(struct.pack("QQ", buffer(b"true\\0"), 0)), buffer(bytes(8)), 0x1000)
    """),
    "trace another process": any_user('call("ptrace", 0x4206, T["pid"], 0, 0) == 0'),
    "be traced by one's parent": any_user('call("ptrace", 0, 0, 0, 0) == 0'),
    "read another's memory": any_user('peek_by_vm(T["pid"])'),
    "write another's memory": any_user("""
        return call("process_vm_writev", T["pid"], iovec(buffer(b"x"), 1), 1, iovec(T["address"] + 40, 1), 1, 0) == 1
    """),
    "advise another's memory": not_shown(
        'call("process_madvise", T["pid"], 0, 0, 4, 0) >= 0', because="needs a descriptor that is refused before"
    ),
    "compare with another process": not_shown(
        'call("kcmp", os.getpid(), T["pid"], 0, 0, 0) >= 0', because="not every kernel has kcmp"
    ),
    "hold another process": any_user('os.pidfd_open(T["pid"])'),
    "take another's descriptor": any_user('call("pidfd_getfd", os.pidfd_open(T["pid"]), 0, 0) >= 0'),
    "ask whether another process lives": any_user('os.kill(T["pid"], 0) is None'),
    "stop another process for good": any_user('os.kill(T["spare"], signal.SIGUSR1) is None'),
    "signal another's thread": any_user('call("tgkill", T["spare"], T["spare"], 10) == 0'),
    "queue a signal for another": any_user("""
        info = buffer(struct.pack("iii4xii", 10, 0, -1, os.getpid(), os.getuid()), 128)
        return call("rt_sigqueueinfo", T["spare"], 10, info) == 0
    """),
    "signal by descriptor": any_user('signal.pidfd_send_signal(os.pidfd_open(T["spare"]), 0) is None'),
    "signal one's parent": any_user("os.getppid() and os.kill(os.getppid(), 0) is None"),
    "signal the whole group": any_user("os.kill(0, 0) is None"),
    "signal everybody": any_user("os.kill(-1, 0) is None"),
    "see another's scheduling": any_user('call("sched_getscheduler", T["pid"]) >= 0'),
    "change another's priority": any_user('call("setpriority", 0, T["spare"], 19) == 0'),
    "change another's processors": any_user('os.sched_setaffinity(T["spare"], os.sched_getaffinity(0)) is None'),
    "see another's limits": any_user('resource.prlimit(T["pid"], resource.RLIMIT_NOFILE)'),
    "change another's limits": any_user('resource.prlimit(T["spare"], resource.RLIMIT_CORE, (0, 0)) is not None'),
    "move another's pages": any_user('call("move_pages", T["pid"], 0, 0, 0, 0, 0) >= 0'),
    "raise one's own limits": any_user("""
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(3, soft - 1), hard))
        return True
    """),
    "run at real-time priority": root_only("os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1)) is None"),
    "dump core": any_user("resource.getrlimit(resource.RLIMIT_CORE)[1] != 0"),
    "become traceable": any_user('call("prctl", 4, 1, 0, 0, 0) == 0'),
    "outlive one's parent": any_user('call("prctl", 1, 0, 0, 0, 0) == 0'),
    "let anybody trace": not_shown('call("prctl", 0x59616D61, -1) == 0', because="Yama may be absent"),
    "move one's own memory map": not_shown(
        'call("prctl", 35, 1, T["address"], 0, 0) == 0', because="the kernel wants an address that fits"
    ),
    "join another's network": root_only('call("setns", os.open(f"/proc/{T[\'pid\']}/ns/net", 0), 0) == 0'),
    "inherit the environment": any_user('T["marker"] in "".join(os.environ.values())'),
    "inherit the arguments": any_user('T["marker"] in "".join(sys.orig_argv)'),
}
