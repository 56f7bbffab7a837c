"""Commands that change the machine, its guards, its schedules or things far away, where a table of options says too little."""

from __future__ import annotations

import functools
import importlib.resources
import re

import msgspec

from interlock.analyst.shell import code, outputs
from interlock.analyst.shell.apply import Use, endpoint, play
from interlock.analyst.shell.files import connect, read, send, write
from interlock.analyst.shell.globs import places
from interlock.analyst.shell.paths import is_outside
from interlock.analyst.shell.words import NONE, UNKNOWN, Data, Word, unknown
from interlock.artifact.action import Effect
from interlock.artifact.codec import Value

_ADMINISTRATORS = frozenset(
    ("sudo", "wheel", "admin", "root", "docker", "lxd", "adm", "staff", "0", "disk", "shadow", "libvirt", "80")
)
_SCHEDULE = re.compile(r"\s*(?:@\w+|(?:[\d*/,A-Za-z-]+\s+){4}[\d*/,A-Za-z-]+)\s+(.+)\Z")
_SETUID = re.compile(r"(?:[ugoa]*\+[rwxXt]*s|[ug]=[rwx]*s|0?[4-7][0-7]{3})")
_OPEN = re.compile(r"0?[0-7]?[0-7]{2}[2367]|(?:[uga]*o[uga]*|a|)\+[rx]*w|a=rwx|ugo\+rwx")
_PRIVILEGED = re.compile(r'"?(?:privileged|hostPID|hostNetwork|hostIPC)"?\s*:\s*true|hostPath|nsenter')
_EXECUTING = frozenset(("-e", "--", "--command", "-x", "--exec"))


class Guards(Value, frozen=True, kw_only=True):
    """Names of what guards a machine."""

    source: str
    services: frozenset[str]
    settings: frozenset[str]
    cloud: frozenset[str]


@functools.cache
def guards() -> Guards:
    """The names of the release."""
    raw = (importlib.resources.files("interlock.analyst.shell") / "defence.json").read_bytes()
    return msgspec.json.decode(raw, type=Guards)


def _guards(name: str) -> bool:
    """Whether a unit's name is that of a guard, or has it as one of its parts."""
    parts = set(re.split(r"[^a-z0-9_-]+", name.lower())) | {name.lower()}
    parts |= {part for one in list(parts) for part in one.split("-")}
    return bool(parts & guards().services)


def stop_service(use: Use, _words: list[Word]) -> Data | None:
    """A unit is stopped or disabled."""
    if any(_guards(word.text) for word in use.found.operands):
        use.walker.claims.signal("defence.disabled")
    return None


def service(use: Use, _words: list[Word]) -> Data | None:
    """``service NAME ACTION`` and its relatives, which put the action before or after the name."""
    texts = [word.text for word in use.found.operands]
    if any(
        text in ("stop", "off", "disable", "remove", "delete", "onestop") or text.endswith(('="NO"', "=NO"))
        for text in texts
    ):
        if any(_guards(text.removesuffix('="NO"').removesuffix("=NO").removesuffix("_enable")) for text in texts):
            use.walker.claims.signal("defence.disabled")
    if (
        texts[1:2]
        and texts[1] in ("status", "--status-all", "list", "show")
        or texts[:1] in (["status"], ["list"], ["show"], ["logs"], ["monit"])
    ):
        return unknown(frozenset(("system",)))
    if use.found.path[0] in ("update-rc.d", "chkconfig", "rc-update", "insserv") and any(
        text in ("on", "enable", "defaults", "add") for text in texts
    ):
        use.walker.claims.touch(Effect.WRITE, "persistence", "service")
    return None


def defence(use: Use, words: list[Word]) -> Data | None:
    """setenforce, spctl, csrutil and products that guard: switched off or reconfigured."""
    texts = {word.text.lower() for word in words}
    if texts & {
        "0",
        "permissive",
        "disable",
        "disabled",
        "off",
        "stop",
        "--master-disable",
        "--global-disable",
        "uninstall",
        "false",
        "unload",
        "--disable",
    }:
        use.walker.claims.signal("defence.disabled")
    return None


def sysctl(use: Use, words: list[Word]) -> Data | None:
    """``sysctl [-w] NAME=VALUE``."""
    for word in words:
        name, equals, _ = word.text.partition("=")
        if equals:
            use.walker.claims.touch(Effect.WRITE, "kernel", name)
            if name.replace("/", ".") in guards().settings:
                use.walker.claims.signal("defence.disabled")
    for name, role, word in use.found.values:
        if role == "read":
            use.reading(word)
            use.walker.claims.touch(Effect.WRITE, "kernel", "*", open=True)
    return unknown(frozenset(("system",)))


def firewall(use: Use, words: list[Word]) -> Data | None:
    """Listing changes nothing."""
    texts = [word.text for word in words]
    lists = {
        "-L",
        "-S",
        "--list",
        "list",
        "status",
        "--list-all",
        "-n",
        "-v",
        "verbose",
        "numbered",
        "--state",
        "-nvL",
        "-vnL",
        "-nL",
        "-Lnv",
        "-sr",
    }
    if texts and set(texts) <= lists | {
        "ruleset",
        "-t",
        "nat",
        "filter",
        "mangle",
        "table",
        "tables",
        "--line-numbers",
    }:
        return unknown(frozenset(("system",)))
    if use.found.path[0] == "iptables-save":
        return unknown(frozenset(("system",)))
    if {"REDIRECT", "DNAT", "MASQUERADE"} & set(texts):
        use.walker.claims.signal("network.redirected")
    if (
        "flush" in texts
        or ("delete" in texts and "table" in texts)
        or "ACCEPT" in texts
        and ({"-P", "--policy"} & set(texts))
    ):
        use.walker.claims.signal("defence.disabled")
    return None


def account(use: Use, _words: list[Word]) -> Data | None:
    """useradd, usermod, gpasswd: rights of an administrator among the values or operands."""
    given = [
        word.text for name, _, word in use.found.values if name in ("-G", "--groups", "-g", "--gid", "--ingroup", "-a")
    ]
    given += [word.text for word in use.found.operands[1:]]
    if use.found.path[0] in ("gpasswd",):
        given += [word.text for word in use.found.operands]
    zero = any(name in ("-u", "--uid") and word.text == "0" for name, _, word in use.found.values)
    if zero or {part for text in given for part in text.split(",")} & _ADMINISTRATORS:
        use.walker.claims.signal("account.privileged")
    return None


def chmod(use: Use, _words: list[Word]) -> Data | None:
    """Set-user-ID bits, and folders that everybody may write."""
    walker, operands = use.walker, use.found.operands
    symbolic = [name for name in use.found.given if re.fullmatch(r"-[rwxXst]+", name)]
    if not operands:
        return None
    mode = operands[0].text
    if symbolic:
        return None
    if _SETUID.fullmatch(mode):
        walker.claims.signal("privilege.setuid")
    outside = [
        place
        for word in operands[1:]
        for place in places(word, walker.state.folders, walker.state.home, recursive=False) or ()
        if is_outside(place.name, walker.claims.place.root)
    ]
    recursive = use.found.has("-R --recursive")
    system = [place for place in outside if not place.name.startswith(("/tmp/", "/var/tmp/", walker.state.home + "/"))]
    if outside and (_OPEN.fullmatch(mode) and (recursive or system) or recursive and system):
        walker.claims.signal("privilege.permissions")
    return None


def chown(use: Use, _words: list[Word]) -> Data | None:
    """An owner of everything below a folder of the system, or root as the owner."""
    walker = use.walker
    for word in use.found.operands[1:]:
        for place in places(word, walker.state.folders, walker.state.home, recursive=False) or ():
            if (
                use.found.has("-R --recursive")
                and place.name.count("/") < 2 + place.name.startswith("/usr")
                and not place.name.startswith(walker.claims.place.root)
            ):
                walker.claims.signal("privilege.permissions")
    return None


def crontab(use: Use, _words: list[Word]) -> Data | None:
    """A table of commands that run by a clock: from a file, from the input, or none any more."""
    walker = use.walker
    if use.found.has("-l"):
        return unknown(frozenset(("system",)))
    walker.claims.signal("persistence.scheduled")
    walker.claims.touch(Effect.WRITE, "persistence", "cron")
    data = use.stdin
    for word in use.found.operands:
        use.reading(word)
        data = use.content or data
    for line in data.text.splitlines()[:32]:
        match = _SCHEDULE.match(line)
        if match:
            code.run(walker, "shell", Data(match.group(1), data.tags), NONE)
    return Data()


def at(use: Use, _words: list[Word]) -> Data | None:
    """Commands on the input run later."""
    walker = use.walker
    if use.found.has("-l -c -r -d"):
        return unknown(frozenset(("system",)))
    walker.claims.signal("persistence.scheduled")
    walker.claims.touch(Effect.WRITE, "persistence", "at")
    for _, role, word in use.found.values:
        if role != "skip":
            play(use, role, word, None)
    if use.stdin.text or use.stdin.tags:
        code.run(walker, "shell", use.stdin, NONE)
    return Data()


def kill(use: Use, words: list[Word]) -> Data | None:
    """``kill -1`` as a target means every process."""
    texts = [word.text for word in words]
    if use.found.path[0] == "kill" and ("-1" in texts[1:] or "1" in texts) or use.found.path[0] == "killall5":
        use.walker.claims.signal("process.killed_all")
        use.walker.claims.touch(Effect.WRITE, "process", "*", open=True)
    if use.found.path[0] in ("pkill", "killall") and use.found.has("-u -U --user --euid"):
        use.walker.claims.signal("process.killed_all")
    for word in use.found.operands:
        if _guards(word.text) or "guard" in word.tags:
            use.walker.claims.signal("defence.disabled")
        use.walker.claims.touch(Effect.WRITE, "process", word.text if word.known else "*", open=not word.known)
    return Data()


def processes(use: Use, words: list[Word]) -> Data | None:
    """pgrep and pidof: numbers of processes, perhaps those of a guard."""
    guard = any(_guards(word.text) for word in words)
    return unknown(frozenset(("system", "guard") if guard else ("system",)))


def attributes(use: Use, words: list[Word]) -> Data | None:
    """``chattr +i FILE``: modes stand among the operands."""
    for word in words:
        if word.text[:1] not in ("+", "-", "="):
            write(use.walker, word, Data(), append=True, recursive=use.found.has("-R"))
    return Data()


def mount(use: Use, _words: list[Word]) -> Data | None:
    """No operands list what is mounted; binds over /proc hide processes."""
    if not use.found.operands and not use.found.has("-a --all"):
        return unknown(frozenset(("system",)))
    for word in use.found.operands[1:]:
        if word.text.startswith(("/proc", "/etc", "/usr", "/bin", "/sbin", "/lib")):
            use.walker.claims.signal("process.injected" if word.text.startswith("/proc/") else "privilege.rules")
    return None


def namespace(use: Use, words: list[Word]) -> Data | None:
    """nsenter and unshare without a command start a shell."""
    if not use.found.operands:
        use.walker.claims.touch(Effect.GRANT_ACCESS, "privilege", "namespace")
        use.walker.claims.signal("container.escape" if use.found.path[0] == "nsenter" else "shell.interactive")
        return unknown(frozenset(("shell",)))
    return None


def storage(use: Use, words: list[Word]) -> Data | None:
    """Volume and file-system tools: their verbs tell reading from destroying."""
    texts = {word.text for word in words}
    destroys = {
        "destroy",
        "erase",
        "delete",
        "remove",
        "labelclear",
        "erase_flash",
        "luksErase",
        "luksFormat",
        "--zero-superblock",
        "reformat",
        "wipe",
        "--wipe-all",
        "write_flash-all",
    }
    if texts & destroys or use.found.path[0] in ("lvremove", "vgremove", "pvremove"):
        use.walker.claims.signal("disk.wiped" if not {"snapshot", "subvolume"} & texts else "file.shredded")
    if (
        texts
        & {
            "list",
            "status",
            "show",
            "get",
            "-l",
            "luksDump",
            "devices",
            "df",
            "usage",
            "info",
            "--detail",
            "iostat",
            "history",
        }
        and not texts & destroys
    ):
        return unknown(frozenset(("system",)))
    return None


def debugger(use: Use, _words: list[Word]) -> Data | None:
    """gdb with commands; ldd runs what it looks at only where the loader does."""
    if use.found.path[0] == "ldd":
        for word in use.found.operands:
            use.reading(word)
        return unknown(use.read)
    for name, _, word in use.found.values:
        if name in ("-ex", "-iex", "--eval-command") and word.text.lstrip().startswith(
            ("!", "shell ", "python ", "call ", "print system")
        ):
            use.walker.claims.signal("shell.escape")
            if word.text.lstrip().startswith(("!", "shell ")):
                code.run(
                    use.walker, "shell", Data(word.text.lstrip().removeprefix("shell ").lstrip("!"), word.tags), NONE
                )
            else:
                use.walker.note("shell.unknown_code")
        elif name in ("-x", "--command", "-ix"):
            read(use.walker, word)
            use.walker.note("shell.unknown_code")
    if use.found.path[0] in ("gcore", "reptyr", "ptrace", "frida", "frida-trace", "injectso"):
        use.walker.claims.signal("process.injected")
        use.walker.claims.touch(Effect.WRITE, "process", "*", open=True)
        return unknown(use.read)
    return None


def recorder(use: Use, _words: list[Word]) -> Data | None:
    """script: a command, or a shell that nobody gives commands to here."""
    commands = [word for name, _, word in use.found.values if name in ("-c", "--command")]
    for word in use.found.operands[:1]:
        use.writing(word)
    for word in commands:
        code.run(use.walker, "shell", Data(word.text, word.tags), NONE, stdin=use.stdin)
    if not commands and (use.stdin.text or use.stdin.tags):
        return code.run(use.walker, "shell", use.stdin, NONE)
    return unknown(use.stdin.tags | (NONE if commands else frozenset(("shell",))))


def multiplexer(use: Use, words: list[Word]) -> Data | None:
    """tmux and screen: what follows the subcommand of a new window, or after ``-X stuff``, runs."""
    operands = use.found.operands
    verbs = (
        "new-session",
        "new",
        "new-window",
        "neww",
        "split-window",
        "splitw",
        "run-shell",
        "run",
        "respawn-pane",
        "send-keys",
        "send",
        "if-shell",
        "pipe-pane",
    )
    if operands and operands[0].text in verbs:
        texts = [word for word in operands[1:] if word.text not in ("Enter", "C-m")]
        return code.run(
            use.walker,
            "shell",
            Data(" ".join(word.text for word in texts), NONE.union(*(word.tags for word in texts))),
            NONE,
        )
    if use.found.path[0] in ("screen", "abduco", "dtach", "byobu", "dvtm") and operands:
        return use.walker.runner(use.walker, operands, Data(), {})
    return unknown(frozenset(("system",)))


def terminal(use: Use, words: list[Word]) -> Data | None:
    """A terminal's ``-e`` and ``--`` start a command."""
    for index, word in enumerate(words):
        if word.text in _EXECUTING and index + 1 < len(words):
            rest = words[index + 1 :]
            if len(rest) == 1:
                return code.run(use.walker, "shell", Data(rest[0].text, rest[0].tags), NONE)
            return use.walker.runner(use.walker, rest, Data(), {})
    return Data()


def opens(use: Use, words: list[Word]) -> Data | None:
    """A desktop program that is given files or addresses."""
    for word in use.found.operands:
        if "://" in word.text:
            host, port = endpoint(word.text, "")
            connect(use.walker, host, port)
            send(use.walker, word.tags, host)
        else:
            use.reading(word)
    use.walker.claims.touch(Effect.EXECUTE, "program", use.found.path[0])
    return Data()


def trust(use: Use, _words: list[Word]) -> Data | None:
    """The store of certificate authorities is built anew."""
    if use.found.path[0].startswith(("update-ca", "certctl", "trust")):
        use.walker.claims.signal("trust.changed")
    return None


def editor(use: Use, _words: list[Word]) -> Data | None:
    """An editor without a terminal; as a filter it is a command language."""
    if use.stdin.text or use.stdin.tags:
        code.origins(use.walker, use.stdin.tags)
        for line in use.stdin.text.splitlines()[:64]:
            if line.lstrip(":").startswith("!"):
                use.walker.claims.signal("shell.escape")
                code.run(use.walker, "shell", Data(line.lstrip(":")[1:], use.stdin.tags), NONE)
    return None


def redis(use: Use, _words: list[Word]) -> Data | None:
    """redis-cli: some commands write files of the server or erase its data."""
    for _, role, word in use.found.values:
        if role != "skip":
            play(use, role, word, None)
    texts = [word.text.lower() for word in use.found.operands]
    use.walker.claims.touch(
        Effect.READ
        if texts[:1]
        and texts[0]
        in (
            "get",
            "keys",
            "info",
            "ping",
            "scan",
            "ttl",
            "exists",
            "llen",
            "lrange",
            "hgetall",
            "type",
            "dbsize",
            "memory",
            "slowlog",
            "monitor",
        )
        else Effect.WRITE,
        "database",
        "redis",
    )
    if texts[:1] and texts[0] in ("flushall", "flushdb"):
        use.walker.claims.signal("database.destroyed")
        use.walker.claims.touch(Effect.DELETE, "database", "redis")
    if texts[:2] == ["config", "set"] or texts[:1] in (
        ["eval"],
        ["slaveof"],
        ["replicaof"],
        ["module"],
        ["script"],
        ["debug"],
    ):
        use.walker.note("shell.unknown_code")
    if not texts and (use.stdin.text or use.stdin.tags):
        use.walker.note("shell.unknown_code")
    return unknown(frozenset(("database", "private")))


def openssl_enc(use: Use, _words: list[Word]) -> Data | None:
    """``openssl enc``: with ``-d`` it decodes."""
    decodes = use.found.has("-d")
    plain = use.found.has("-base64 -a") or use.found.path[-1] == "base64"
    for _, role, word in use.found.values:
        if role == "read":
            use.reading(word)
    data = use.content or use.stdin
    result = unknown(data.tags | use.read)
    if decodes:
        result = (
            outputs.unbase(data)
            if plain and not any("aes" in one or "des" in one for one in use.found.given)
            else outputs.decoded(unknown(result.tags), None)
        )
    for _, role, word in use.found.values:
        if role == "write":
            write(use.walker, word, result)
    return result


def s_client(use: Use, _words: list[Word]) -> Data | None:
    """``openssl s_client``: a connection that carries what it reads."""
    host, port = UNKNOWN, "443"
    for name, role, word in use.found.values:
        if name in ("-connect", "-host"):
            host, port = endpoint(word.text, "443")
        elif role == "read":
            use.reading(word)
    connect(use.walker, host, port)
    send(use.walker, use.stdin.tags, host)
    return unknown(frozenset(("download", "socket")))


def dns(use: Use, words: list[Word]) -> Data | None:
    """A look-up: the name itself may carry data out."""
    server = next((word.text[1:] for word in words if word.text.startswith("@")), "")
    if server:
        connect(use.walker, server, "53")
    tags = NONE.union(*(word.tags for word in words))
    for word in words:
        if not word.text.startswith(("-", "@", "+")) and "." in word.text:
            use.walker.claims.touch(
                Effect.SEND if tags else Effect.READ,
                "endpoint",
                f"{word.text.lower().rstrip('.')}:53" if word.known else "*",
                open=not word.known,
            )
    send(use.walker, tags, "")
    return unknown(frozenset(("system",)))


def git_checkout(use: Use, words: list[Word]) -> Data | None:
    """``git checkout``: a branch is switched to, or files are overwritten."""
    found = use.found
    makes = found.has("-b -B --orphan --detach -t --track") or any(
        re.match(r"-[a-zA-Z]*[bB]", word.text) for word in words
    )
    files = (
        found.has("-- --pathspec-from-file -p --patch --ours --theirs")
        or len(found.operands) > 1
        or any(word.text in (".", ":/") or word.text.startswith("./") for word in found.operands)
    )
    if found.has("-f --force") or (files and not makes):
        use.walker.claims.signal("git.work_discarded")
    return None


def git_push(use: Use, _words: list[Word]) -> Data | None:
    """``git push``: ``+REF`` forces, ``:REF`` deletes."""
    for word in use.found.operands[1:]:
        if word.text.startswith("+"):
            use.walker.claims.signal("git.force_push")
        elif word.text.startswith(":") and len(word.text) > 1:
            use.walker.claims.signal("git.remote_deleted")
    if use.found.operands and use.found.operands[0].text.startswith("ext::"):
        use.walker.claims.signal("shell.escape")
    if use.found.operands and "://" in use.found.operands[0].text:
        host, port = endpoint(use.found.operands[0].text, "22")
        connect(use.walker, host, port)
        return None
    return git_remote(use, _words)


def git_remote(use: Use, _words: list[Word]) -> Data | None:
    """A remote by its address is an end point; ``ext::`` starts a command."""
    for word in use.found.operands[:1]:
        if word.text.startswith("ext::"):
            use.walker.claims.signal("shell.escape")
            code.run(use.walker, "shell", Data(word.text[5:], word.tags), NONE)
        elif "://" in word.text or "@" in word.text:
            host, port = endpoint(word.text, "22")
            connect(use.walker, host, port, Effect.READ)
    for name, _, word in use.found.values:
        if name in ("--upload-pack", "--receive-pack", "--exec", "-u"):
            code.run(use.walker, "shell", Data(word.text, word.tags), NONE)
    return None


def kube_run(use: Use, words: list[Word]) -> Data | None:
    """A pod with the host's namespaces, its disks or all privileges."""
    for word in words:
        if _PRIVILEGED.search(word.text) or word.text == "--privileged":
            use.walker.claims.signal("container.escape")
    operands = use.found.operands
    use.walker.claims.touch(Effect.EXECUTE, "cluster", operands[0].text if operands and operands[0].known else "*")
    if len(operands) > 1:
        return code.elsewhere(use, operands[1:], joined=False)
    return unknown(frozenset(("download",)))


def kube_read(use: Use, words: list[Word]) -> Data | None:
    """Secrets of a cluster are credentials."""
    first = use.found.operands[0].text if use.found.operands else ""
    if (
        use.found.path[-1] == "get"
        and first.partition("/")[0].split(",")[0] in ("secret", "secrets")
        and use.found.has("-o --output")
    ):
        use.walker.claims.signal("credential.read")
        use.read |= {"secret", "private"}
    return None


def kube_write(use: Use, words: list[Word]) -> Data | None:
    """Roles that are bound grant access; manifests on the input are the pipe's."""
    texts = [word.text for word in use.found.operands]
    if any(text.startswith(("clusterrolebinding", "rolebinding", "clusterrole", "role")) for text in texts[:1]):
        use.walker.claims.touch(Effect.GRANT_ACCESS, "cluster", texts[0])
        if "--clusterrole=cluster-admin" in use.found.given:
            use.walker.claims.signal("account.privileged")
    files = [word for name, _, word in use.found.values if name in ("-f", "--filename", "-k")]
    for word in files:
        if "://" in word.text:
            use.walker.claims.signal("download.applied")
        held = use.stdin if word.text == "-" else code.content_of(use.walker, word)
        if held is not None and "download" in held.tags:
            use.walker.claims.signal("download.applied")
        if held is not None and _PRIVILEGED.search(held.text):
            use.walker.claims.signal("container.escape")
    return None


def cloud(use: Use, words: list[Word]) -> Data | None:
    """A cloud's guards that are deleted or stopped; files that are copied there; secrets that are asked for."""
    walker = use.walker
    texts = [word.text for word in use.found.operands]
    verbs = " ".join(texts[:5])
    ends = re.search(
        r"\b(?:delete|stop|disable|remove|disassociate)\b|--no-enable", verbs + " " + " ".join(use.found.given)
    )
    if ends and guards().cloud & set(texts[:4]):
        walker.claims.signal("defence.disabled")
    if "--with-decryption" in use.found.given or re.search(
        r"get-secret-value|secrets versions access|keyvault secret show|get-parameters? .*decrypt|access-token|print-access-token|get-password-data|get-credentials",
        verbs,
    ):
        walker.claims.signal("credential.read")
    if re.search(
        r"create-access-key|keys create|create-login-profile|create-user\b|service-accounts create|set-iam-policy|add-iam-policy-binding|attach-\w+-policy|put-\w+-policy|add-user-to-group|role assignment create|ad sp create|ad app credential",
        verbs,
    ):
        walker.claims.signal("cloud.access_granted")
    if {"cp", "sync", "mv", "upload", "upload_file", "upload-batch", "rsync"} & set(texts[:3]):
        for word in use.found.operands[1:]:
            if not re.match(r"(?:s3|gs|https?|az|cp|sync|mv|upload)\b", word.text) and (
                "/" in word.text or "." in word.text
            ):
                use.recursive = True
                use.reading(word)
                use.sent |= use.read
    for word in words:
        value = word.text.partition("=")[2] or word.text
        if value.startswith(("file://", "fileb://")):
            use.reading(word._replace(text=value.partition("://")[2]))
            use.sent |= use.read
    return None


def cmake(use: Use, _words: list[Word]) -> Data | None:
    """``cmake -E`` is a small set of tools."""
    tool = next((word.text for name, _, word in use.found.values if name == "-E"), "")
    rest = list(use.found.operands)
    if not tool:
        return None
    known = {
        "rm": "rm",
        "remove": "rm",
        "remove_directory": "rm",
        "copy": "cp",
        "copy_directory": "cp",
        "tar": "tar",
        "make_directory": "mkdir",
        "cat": "cat",
        "touch": "touch",
        "rename": "mv",
        "echo": "echo",
        "env": "env",
        "time": "time",
    }
    name = known.get(tool)
    if name is None:
        use.walker.note("shell.unknown_subcommand")
        return Data()
    flags = [Word("-r")] if tool == "remove_directory" else []
    return use.walker.runner(use.walker, [Word(name), *flags, *rest], use.stdin, {})


def own_paths(use: Use, words: list[Word]) -> Data | None:
    """Tools that read and write what their arguments name, besides the workspace."""
    root = use.walker.claims.place.root
    for word in use.found.operands:
        if "://" in word.text and word.known:
            host, port = endpoint(word.text, "")
            connect(use.walker, host, port, Effect.READ)
        elif word.text.startswith(("/", "~", "..")):
            use.reading(word)
    for name, _, word in use.found.values:
        if name in ("-o", "--output", "-O", "--out") and word.text.startswith(("/", "~", "..")):
            if any(
                is_outside(place.name, root)
                for place in places(word, use.walker.state.folders, use.walker.state.home, recursive=False) or ()
            ):
                use.writing(word)
    return None


def database_tool(use: Use, words: list[Word]) -> Data | None:
    """Tools beside the clients: dropping is destroying."""
    if use.found.path[0] == "dropdb" or {"drop", "reset", "drop-schema"} & {word.text for word in use.found.operands}:
        use.walker.claims.signal("database.destroyed")
    return None


def forge(use: Use, words: list[Word]) -> Data | None:
    """gh and glab: values that carry data go to the forge."""
    tags = NONE.union(*(word.tags for word in words))
    send(use.walker, tags | use.stdin.tags, "")
    return None


def fd(use: Use, words: list[Word]) -> Data | None:
    """fd: ``-x`` and ``-X`` start a command with what is found."""
    for index, word in enumerate(words):
        if word.text in ("-x", "--exec", "-X", "--exec-batch"):
            command = [one for one in words[index + 1 :] if one.text != ";"]
            root = use.found.operands[1] if len(use.found.operands) > 1 else Word(".")
            read(use.walker, root, recursive=True)
            item = f"{root.text.rstrip('/')}/{UNKNOWN}"
            filled = [one._replace(text=one.text.replace("{}", item)) for one in command]
            if not any("{}" in one.text for one in command):
                filled.append(Word(item))
            return use.walker.runner(use.walker, filled, Data(), {}) if command else Data()
    roots = use.found.operands[1:] or [Word(".")]
    for root in roots:
        read(use.walker, root, recursive=True)
    return Data(f"{roots[0].text.rstrip('/')}/{UNKNOWN}") if len(roots) == 1 else unknown()


HANDLERS = {
    "account": account,
    "at": at,
    "attributes": attributes,
    "processes": processes,
    "chmod": chmod,
    "chown": chown,
    "cloud": cloud,
    "cmake": cmake,
    "crontab": crontab,
    "database-tool": database_tool,
    "debugger": debugger,
    "defence": defence,
    "dns": dns,
    "editor": editor,
    "fd": fd,
    "firewall": firewall,
    "forge": forge,
    "git-checkout": git_checkout,
    "git-push": git_push,
    "git-remote": git_remote,
    "kill": kill,
    "kube-read": kube_read,
    "kube-run": kube_run,
    "kube-write": kube_write,
    "mount": mount,
    "multiplexer": multiplexer,
    "nsenter": namespace,
    "openssl-enc": openssl_enc,
    "opens": opens,
    "paths": own_paths,
    "redis": redis,
    "s-client": s_client,
    "script": recorder,
    "service": service,
    "stop-service": stop_service,
    "storage": storage,
    "sysctl": sysctl,
    "terminal": terminal,
    "trust": trust,
}
