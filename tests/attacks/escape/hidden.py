"""Attempts of a step to read what is hidden in the folders that it was granted: T["hidden"], paths with T["word"] in them.

The first lies in a folder that is granted for reading, in a folder of its own; the second is a file beside it.  The
third lies in a writable folder, below a folder that can be written; the last is a file at its top.
"""

from __future__ import annotations

from attacks.escape.attempt import Attempt, any_user, not_shown, root_only


def each(expression: str) -> Attempt:
    """Something true of any hidden ``path``."""
    return any_user(f"""
        for path in T["hidden"]:
            folder, name = os.path.split(path)
            try:
                if {expression}:
                    return True
            except OSError:
                continue
    """)


HIDDEN: dict[str, Attempt] = {
    "open what is hidden": each('T["word"] in open(path).read()'),
    "open it by another spelling": each(
        'T["word"] in open(folder + "/../" + os.path.basename(folder) + "/./" + name).read()'
    ),
    "open it from its folder": each(
        'T["word"] in os.read(os.open(name, 0, dir_fd=os.open(folder, os.O_RDONLY)), 99).decode()'
    ),
    "open it from a descriptor that places its folder": each(
        'T["word"] in os.read(os.open(name, 0, dir_fd=os.open(folder, os.O_PATH)), 99).decode()'
    ),
    "open it from the granted descriptors": any_user("""
        places = range(4, 64) if T["jailed"] else [os.open(T["readable"], os.O_PATH)]
        for place in places:
            for path in ("own/rule", "own.toml", "between/own/rule"):
                try:
                    if T["word"] in os.read(os.open(path, os.O_RDONLY, dir_fd=place), 99).decode():
                        return True
                except OSError:
                    continue
    """),
    "open it by /proc/self/fd": any_user("""
        places = range(4, 64) if T["jailed"] else [os.open(T["readable"], os.O_PATH)]
        for place in places:
            try:
                if T["word"] in open(f"/proc/self/fd/{place}/own.toml").read():
                    return True
            except OSError:
                continue
    """),
    "open it by the root of /proc": any_user('T["word"] in open("/proc/self/root" + T["hidden"][1]).read()'),
    "open it upwards from what is hidden": each(
        'T["word"] in os.read(os.open("../" + os.path.basename(folder) + "/" + name, 0, dir_fd=os.open(folder, os.O_RDONLY)), 99).decode()'
    ),
    "open it from a working folder": each('os.chdir(folder) is None and T["word"] in open(name).read()'),
    "list what is hidden": any_user('"rule" in os.listdir(os.path.dirname(T["hidden"][0]))'),
    "tell its size": each("os.stat(path).st_size > 0"),
    "find it in a walk": any_user("""
        for top in (T["readable"], T["writable"]):
            for folder, _, names in os.walk(top):
                for name in names:
                    path = os.path.join(folder, name)
                    if name in ("rule", "own.toml", "toml-link") and T["word"] in open(path).read():
                        return True
    """),
    "read it through a link that lies there": any_user('T["word"] in open(T["readable"] + "/toml-link").read()'),
    "read it through a link of one's own": any_user("""
        for at, path in enumerate(T["hidden"]):
            link = T["writable"] + f"/own-link-{at}{T['jailed']}"
            os.symlink(path, link)
            if T["word"] in open(link).read():
                return True
    """),
    "give it a second name": any_user("""
        for at, path in enumerate(T["hidden"]):
            try:
                os.link(path, T["writable"] + f"/own-hard-{at}{T['jailed']}")
                if T["word"] in open(T["writable"] + f"/own-hard-{at}{T['jailed']}").read():
                    return True
            except OSError:
                continue
    """),
    "copy it": any_user("""
        import shutil
        shutil.copytree(T["readable"], T["writable"] + f"/own-copy{T['jailed']}", symlinks=True)
        return T["word"] in open(T["writable"] + f"/own-copy{T['jailed']}/own.toml").read()
    """),
    "copy it in the kernel": any_user("""
        with open(T["hidden"][1]) as source, open(T["writable"] + "/own-range", "w+") as target:
            os.copy_file_range(source.fileno(), target.fileno(), 99)
            return T["word"] in target.read() or T["word"] in open(target.name).read()
    """),
    "send it in the kernel": any_user("""
        ours, theirs = os.pipe()
        with open(T["hidden"][1]) as source:
            os.sendfile(theirs, source.fileno(), 0, 99)
        return T["word"] in os.read(ours, 99).decode()
    """),
    "map it": any_user("""
        with open(T["hidden"][1]) as source:
            return T["word"] in bytes(mmap.mmap(source.fileno(), 0, prot=mmap.PROT_READ)).decode()
    """),
    "move it to another name": any_user("""
        for path in T["hidden"][2:]:
            try:
                os.rename(path, path + "-moved")
                found = T["word"] in open(path + "-moved").read()
                os.rename(path + "-moved", path)
                if found:
                    return True
            except OSError:
                continue
    """),
    "move the folder that leads to it": any_user("""
        top = T["writable"] + "/between"
        os.rename(top, top + "-moved")
        found = T["word"] in open(top + "-moved/own/rule").read()
        os.rename(top + "-moved", top)
        return found
    """),
    "move the hidden folder": any_user("""
        top = T["writable"] + "/between/own"
        os.rename(top, top + "-moved")
        found = T["word"] in open(top + "-moved/rule").read()
        os.rename(top + "-moved", top)
        return found
    """),
    "exchange it for another": any_user("""
        path, other = T["hidden"][3].encode(), T["writable"].encode() + b"/own-other"
        open(other, "w").close()
        call("renameat2", AT, path, AT, other, 2)
        found = T["word"] in open(other).read()
        call("renameat2", AT, path, AT, other, 2)
        return found
    """),
    "remove what stands over it": any_user("""
        path = T["hidden"][3]
        if not T["jailed"]:
            path = T["writable"] + "/own-disposable"
            open(path, "w").write(T["word"])
        os.unlink(path)
        return not T["jailed"] or T["word"] in open(path).read()
    """),
    "write what is hidden": any_user("""
        before = open(T["hidden"][3]).read()
        open(T["hidden"][3], "w").write("x")
        open(T["hidden"][3], "w").write(before)
        return True
    """),
    "make what stands over it executable": any_user('os.chmod(T["hidden"][3], 0o777) is None'),
    "write into the folder that stands over it": any_user(
        'open(T["writable"] + "/between/own/planted", "w").write("x")'
    ),
    "write what stands for all that is hidden": not_shown(
        'open("/nothing/file", "w").write("x") or open("/nothing/folder/x", "w").write("x")',
        because="it stands in the jail alone",
    ),
    "take away what stands over it": root_only(
        'call("umount2", T["hidden"][3].encode(), 2) == 0 if T["jailed"] else call("mount", b"none", T["writable"].encode(), b"tmpfs", 0, 0) == 0'
    ),
    "bind its folder elsewhere": root_only(
        'call("mount", T["readable"].encode(), T["writable"].encode(), b"none", 0x1000, 0) == 0'
    ),
    "take a tree without what is mounted in it": root_only('call("open_tree", AT, T["readable"].encode(), 1) >= 0'),
    "open it by its handle": root_only("""
        handle, mounted = buffer(struct.pack("Ii", 128, 0), 136), buffer(bytes(8))
        call("name_to_handle_at", AT, T["hidden"][1].encode(), handle, mounted, 0)
        place = call("open_by_handle_at", os.open(T["readable"], os.O_RDONLY), handle, os.O_RDONLY)
        return T["word"] in os.read(place, 99).decode()
    """),
}
