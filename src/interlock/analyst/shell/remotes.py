"""What acts far away: remotes of git, forges, clusters, clouds."""

from __future__ import annotations

import re

from interlock.analyst.shell import code
from interlock.analyst.shell.files import connect, content_of, send
from interlock.analyst.shell.globs import places
from interlock.analyst.shell.guards import guards
from interlock.analyst.shell.use import Handler, Use, endpoint
from interlock.analyst.shell.words import NONE, Data, Word, unknown
from interlock.artifact.action import Effect

_PRIVILEGED = re.compile(r'"?(?:privileged|hostPID|hostNetwork|hostIPC)"?\s*:\s*true|hostPath|nsenter')

_PORTS = {"https": "443", "http": "80", "git": "9418"}
_SECRETS = re.compile(
    r"get-secret-value|secrets versions access|keyvault secret show|get-parameters? .*decrypt|access-token"
    r"|get-password-data|get-credentials"
)
_GRANTS = re.compile(
    r"create-access-key|keys create|create-login-profile|create-user\b|service-accounts create|set-iam-policy"
    r"|add-iam-policy-binding|(?:attach|put)-\w+-policy|add-user-to-group|role assignment create|ad sp create"
    r"|ad app credential"
)


def git_setting(use: Use, _words: list[Word]) -> Data | None:
    """``git config NAME VALUE``."""
    operands = [word for word in use.found.operands if word.text not in ("set", "get", "unset", "list")]
    if len(operands) > 1 and not use.found.has("--unset --unset-all --get --get-all -l --list --remove-section"):
        code.git_setting(use, operands[0].text, Data(operands[1].text, operands[1].tags))
        scope = (
            "~/.gitconfig"
            if use.found.has("--global")
            else "/etc/gitconfig"
            if use.found.has("--system")
            else ".git/config"
        )
        for place in places(Word(scope), use.walker.state.folders, use.walker.state.home, recursive=False) or ():
            use.walker.claims.touch(Effect.WRITE, "file", place.name)
    return Data()


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
        host, port = endpoint(use.found.operands[0].text, _port(use.found.operands[0].text))
        connect(use.walker, host, port)
        return None
    return git_remote(use, _words)


def _port(remote: str) -> str:
    """Where git looks for a remote whose address names no port."""
    return _PORTS.get(remote.partition("://")[0], "22")


def git_remote(use: Use, _words: list[Word]) -> Data | None:
    """A remote by its address is an end point; ``ext::`` starts a command."""
    for word in use.found.operands[:1]:
        if word.text.startswith("ext::"):
            use.walker.claims.signal("shell.escape")
            code.run(use.walker, "shell", Data(word.text[5:], word.tags), NONE)
        elif "://" in word.text or "@" in word.text:
            host, port = endpoint(word.text, _port(word.text))
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
        held = use.stdin if word.text == "-" else content_of(use.walker, word)
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
    if "--with-decryption" in use.found.given or _SECRETS.search(verbs):
        walker.claims.signal("credential.read")
    if _GRANTS.search(verbs):
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


def forge(use: Use, words: list[Word]) -> Data | None:
    """gh and glab: values that carry data go to the forge."""
    tags = NONE.union(*(word.tags for word in words))
    send(use.walker, tags | use.stdin.tags, "")
    return None


HANDLERS: dict[str, Handler] = {
    "cloud": cloud,
    "forge": forge,
    "git-checkout": git_checkout,
    "git-push": git_push,
    "git-remote": git_remote,
    "git-setting": git_setting,
    "kube-read": kube_read,
    "kube-run": kube_run,
    "kube-write": kube_write,
}
