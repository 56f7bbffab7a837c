"""Attempts of a step to get more out of its grants than they say: T["writable"], T["readable"], both folders."""

from __future__ import annotations

from attacks.escape.attempt import Attempt, any_user, not_shown, root_only

GRANTS: dict[str, Attempt] = {
    "write where only reading was granted": any_user('open(T["readable"] + "/planted", "w").write("x")'),
    "change a file that was granted for reading": any_user('open(T["readable"] + "/note", "a").write("x")'),
    "remove a file that was granted for reading": any_user('os.unlink(T["readable"] + "/spare") is None'),
    "take a file out of a read-only folder": any_user(
        'os.rename(T["readable"] + "/other", T["writable"] + "/taken") is None'
    ),
    "link a file out of a read-only folder": any_user(
        'os.link(T["readable"] + "/note", T["writable"] + "/linked-note") is None'
    ),
    "leave by a symbolic link of one's own": any_user("""
        path = T["writable"] + f"/out{T['jailed']}"
        os.symlink(T["secret"], path)
        return open(path).read()
    """),
    "leave by a link that lies in the grant": any_user('open(T["readable"] + "/to-secret").read()'),
    "leave upwards from a granted folder": any_user("""
        place = 4 if T["jailed"] else os.open(T["writable"], os.O_PATH)
        return os.open("../secret-folder/secret", os.O_RDONLY, dir_fd=place)
    """),
    "leave upwards from inside a granted folder": any_user("""
        os.chdir(T["writable"])
        return open("../secret-folder/secret").read()
    """),
    "list what lies beside a granted folder": any_user('"secret-folder" in os.listdir(T["writable"] + "/..")'),
    "write beside a granted folder": any_user("""
        open(T["writable"] + "/../secret-folder/beside", "w").write("x")
        return not T["jailed"] or os.path.exists(T["secret"])
    """),
    "hard-link the outside in": any_user('os.link(T["secret"], T["writable"] + "/hard") is None'),
    "rename the outside in": any_user('os.rename(T["disposable"], T["writable"] + "/in") is None'),
    "swap the granted folder away": any_user(
        'os.rename(T["writable"], T["writable"] + "-old") is None and os.rename(T["writable"] + "-old", T["writable"]) is None'
    ),
    "remove the granted folder": any_user("""
        if not T["jailed"]:
            os.mkdir(T["writable"] + "2")
            return os.rmdir(T["writable"] + "2") is None
        return os.rmdir(T["writable"]) is None
    """),
    "run a program from the granted folder": any_user("""
        path = T["writable"] + "/prog"
        open(path, "wb").write(open(T["program"], "rb").read() if not T["jailed"] else b"#!/bin/true\\n")
        os.chmod(path, 0o755)
        if not T["jailed"] and (pid := os.fork()):
            return ends_well(pid)
        os.execv(path, [path])
    """),
    "map code from the granted folder": any_user("""
        with open(T["writable"] + "/code", "w+b") as file:
            file.write(bytes(4096))
            file.flush()
            return mmap.mmap(file.fileno(), 4096, prot=5, flags=mmap.MAP_PRIVATE)
    """),
    "load a library from the granted folder": any_user("""
        import _struct
        path = T["writable"] + "/lib.so"
        open(path, "wb").write(open(T["library"], "rb").read())
        return ctypes.CDLL(path)
    """),
    "set the user bit by chmod": any_user("""
        open(T["writable"] + "/s1", "w").write("x")
        os.chmod(T["writable"] + "/s1", 0o4755)
        return os.stat(T["writable"] + "/s1").st_mode & 0o4000
    """),
    "set the user bit at creation": any_user("""
        place = os.open(T["writable"] + "/s2", os.O_CREAT | os.O_WRONLY, 0o4755)
        return os.fstat(place).st_mode & 0o4000
    """),
    "keep the user bit of openat2 on a file with content": not_shown(
        """
        how = buffer(struct.pack("QQQ", os.O_CREAT | os.O_RDWR, 0o4755, 0))
        place = call("openat2", AT, T["writable"].encode() + b"/s3", how, 24)
        os.write(place, b"x")
        return os.fstat(place).st_mode & 0o4000
    """,
        because="the kernel itself clears the bit when content is written",
    ),
    "keep the user bit on a file that is mapped": not_shown(
        """
        how = buffer(struct.pack("QQQ", os.O_CREAT | os.O_RDWR, 0o4755, 0))
        place = call("openat2", AT, T["writable"].encode() + b"/s4", how, 24)
        os.ftruncate(place, 4096)
        mmap.mmap(place, 4096)[:1] = b"x"
        return os.fstat(place).st_mode & 0o4000
    """,
        because="the kernel itself clears the bit when the size changes",
    ),
    "set the group bit on a folder": any_user("""
        path = T["writable"] + f"/group{T['jailed']}"
        os.mkdir(path)
        os.chmod(path, 0o2755)
        return os.stat(path).st_mode & 0o2000
    """),
    "make a device in the granted folder": root_only(
        'os.mknod(T["writable"] + "/null", 0o666 | stat.S_IFCHR, os.makedev(1, 3)) is None'
    ),
    "make a pipe in the granted folder": any_user('os.mkfifo(T["writable"] + "/fifo") is None'),
    "bind a socket in the granted folder": any_user("""
        with socket.socket(socket.AF_UNIX) as end:
            return end.bind(T["writable"] + "/s") is None
    """),
    "give a file capabilities": root_only("""
        open(T["writable"] + "/cap", "w").write("x")
        value = struct.pack("<IIIII", 0x02000001, 1 << 21, 0, 0, 0)
        return os.setxattr(T["writable"] + "/cap", "security.capability", value) is None
    """),
    "give a file away": root_only("""
        open(T["writable"] + "/given", "w").write("x")
        return os.chown(T["writable"] + "/given", 12345, 12345) is None
    """),
    "watch the granted folder by signal": any_user("""
        return fcntl.fcntl(os.open(T["writable"], os.O_RDONLY), fcntl.F_NOTIFY, 1) == 0
    """),
    "lease a file": any_user("""
        with open(T["writable"] + "/lease", "w") as file:
            return fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_WRLCK) == 0
    """),
    "mount on the granted folder": root_only('call("mount", b"none", T["writable"].encode(), b"tmpfs", 0, 0) == 0'),
    "make the read-only grant writable": root_only(
        'call("mount_setattr", AT, T["readable"].encode() if T["jailed"] else b"/", 0, buffer(struct.pack("QQQQ", 0, 1, 0, 0)), 32) == 0'
    ),
    "change the names that lead to hosts": root_only('open("/etc/hosts", "a").write(\'\') == 0'),
    "read another step's file": any_user('open(T["sibling_file"]).read()'),
    "list another step's folder": any_user('os.listdir(os.path.dirname(T["sibling_file"]))'),
    "write into another step's folder": any_user('open(T["sibling_file"], "a").write("x")'),
    "see another step": any_user('call("sched_getscheduler", T["sibling"]) >= 0'),
    "read another step's memory": root_only('os.open("/proc/%d/mem" % T["sibling"], os.O_RDONLY)'),
    "read another step by its root": root_only('os.listdir("/proc/%d/root" % T["sibling"])'),
    "stop another step": root_only('os.kill(T["sibling"], 0) is None'),
}
