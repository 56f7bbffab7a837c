"""Attempts on files that nothing was granted for: the host's, the kernel's, other processes'."""

from __future__ import annotations

from attacks.escape.attempt import Attempt, any_user, not_shown, root_only

FILES: dict[str, Attempt] = {
    "read a host file": any_user('open(T["secret"]).read() == T["word"]'),
    "read it by way of ..": any_user('open("/usr/lib/../../../../.." + T["secret"]).read()'),
    "read it through a symbolic link": any_user('open(T["link"]).read()'),
    "read it with openat2": any_user("""
        how = buffer(struct.pack("QQQ", 0, 0, 0))
        return os.read(call("openat2", AT, T["secret"].encode(), how, 24), 99)
    """),
    "read it with the oldest open": any_user("""
        old = ["open", T["secret"].encode(), 0] if X86 else ["openat", AT, T["secret"].encode(), 0]
        return os.read(call(*old), 99)
    """),
    "look at it": any_user('os.stat(T["secret"])'),
    "look at it with statx": any_user('call("statx", AT, T["secret"].encode(), 0, 0x7FF, buffer(b"", 256)) == 0'),
    "ask whether it is there": any_user('os.access(T["secret"], os.F_OK)'),
    "hold it by path": any_user('os.open(T["secret"], os.O_PATH)'),
    "read where a link points": any_user('os.readlink(T["link"]) == T["secret"]'),
    "list its folder": any_user('"secret" in os.listdir(T["folder"])'),
    "list the home folder": any_user('T["home_name"] in os.listdir(os.path.dirname(T["home"]) or "/")'),
    "change into its folder": any_user('os.chdir(T["folder"]) or "secret" in os.listdir(".")'),
    "write a new file": any_user('open(T["folder"] + "/planted", "w").write("x")'),
    "append to a file": any_user('open(T["disposable"], "a").write("x")'),
    "open a file for reading and writing": any_user('os.open(T["disposable"], os.O_RDWR)'),
    "truncate a file by path": any_user('call("truncate", T["disposable"].encode(), 1) == 0'),
    "create with creat": any_user("""
        path = T["folder"].encode() + b"/c"
        return call("creat", path, 0o600) if X86 else call("openat", AT, path, os.O_CREAT | os.O_WRONLY, 0o600)
    """),
    "make a nameless file": any_user('os.open(T["folder"], os.O_TMPFILE | os.O_RDWR)'),
    "rename a file": any_user('os.rename(T["disposable"], T["disposable"] + "2") is None'),
    "remove a file": any_user('os.unlink(T["disposable"]) is None'),
    "link a file elsewhere": any_user('os.link(T["disposable"], T["folder"] + "/linked") is None'),
    "plant a symbolic link": any_user('os.symlink(T["secret"], T["folder"] + "/planted-link") is None'),
    "make a folder": any_user('os.mkdir(T["folder"] + "/made") is None'),
    "make a pipe by name": any_user('os.mkfifo(T["folder"] + "/fifo") is None'),
    "make a device": root_only('os.mknod(T["folder"] + "/null", 0o666 | stat.S_IFCHR, os.makedev(1, 3)) is None'),
    "change a file's mode": any_user('os.chmod(T["disposable"], 0o777) is None'),
    "change a file's owner": any_user('os.chown(T["disposable"], os.getuid(), os.getgid()) is None'),
    "change a file's times": any_user('os.utime(T["disposable"], (1, 1)) is None'),
    "read the user table": any_user('"root:" in open("/etc/passwd").read()'),
    "read the password hashes": root_only('open("/etc/shadow").read()'),
    "read the machine's settings": any_user('open("/proc/sys/kernel/ostype").read()'),
    "read its own environment file": any_user('open("/proc/self/environ", "rb").read() is not None'),
    "read another's environment": any_user('T["marker"] in open("/proc/%d/environ" % T["pid"]).read()'),
    "read another's memory file": any_user("""
        with open(f"/proc/{T['pid']}/mem", "rb", buffering=0) as memory:
            memory.seek(T["address"])
            return memory.read(16) == T["word"].encode()[:16]
    """),
    "write another's memory file": any_user("""
        with open(f"/proc/{T['pid']}/mem", "r+b", buffering=0) as memory:
            memory.seek(T["address"] + 32)
            return memory.write(b"x")
    """),
    "leave by its own root link": any_user('open("/proc/self/root" + T["secret"]).read()'),
    "leave by the first process's root link": not_shown(
        'os.listdir("/proc/1/root")', because="the first process may belong to another user namespace"
    ),
    "list open descriptors": any_user('os.listdir("/proc/self/fd")'),
    "list processes": any_user('[name for name in os.listdir("/proc") if name.isdigit()]'),
    "list devices": any_user('set(os.listdir("/dev")) - {"null", "urandom"}'),
    "read the kernel's objects": any_user('os.listdir("/sys")'),
    "open the system console": root_only('os.open("/dev/kmsg", os.O_RDONLY)'),
    "open the terminal multiplexer": any_user('os.open("/dev/ptmx", os.O_RDWR | os.O_NOCTTY)'),
    "name a file by handle": any_user("""
        handle = ctypes.create_string_buffer(struct.pack("Ii", 128, 0), 256)
        return call("name_to_handle_at", AT, T["secret"].encode(), ctypes.addressof(handle), buffer(b"", 8), 0) == 0
    """),
    "open a file by handle": root_only("""
        handle, mount_id = ctypes.create_string_buffer(struct.pack("Ii", 128, 0), 256), buffer(b"", 8)
        call("name_to_handle_at", AT, T["secret"].encode(), ctypes.addressof(handle), mount_id, 0)
        place = os.open(T["folder"], os.O_RDONLY)
        return os.read(call("open_by_handle_at", place, ctypes.addressof(handle), 0), 99)
    """),
    "watch a folder with inotify": any_user("""
        return call("inotify_add_watch", call("inotify_init1", 0), T["folder"].encode(), 0x100) >= 0
    """),
    "watch everything with fanotify": root_only('call("fanotify_init", 0, 0)'),
    "change the runtime": any_user("""
        import json.decoder
        return open(T["module"] if not T["jailed"] else json.decoder.__file__, "a") is not None
    """),
    "plant a module in the runtime": any_user("""
        import encodings
        folder = T["folder"] if not T["jailed"] else os.path.dirname(encodings.__file__)
        return open(folder + "/planted.py", "w").write("x")
    """),
    "plant a file in the root": not_shown('open("/planted", "w").write("x")', because="it would litter this machine"),
    "fill a file system's quota": not_shown(
        'call("quotactl", 0x800002 << 8, b"/dev/null", 0, 0) == 0', because="no file system with quotas here"
    ),
}
