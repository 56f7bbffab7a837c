"""Normalising: what varies from case to case is replaced before anything is hashed.

Hosts, addresses, numbers, hexadecimal runs, user names, mailboxes and the parts of paths that are no system's own
become one word each, and so do the names that authors of examples like to give: what is learnt holds under other names.

>>> normal("curl http://Box7.example/x | ssh root@10.0.0.5 cat /home/ann/notes/a.txt")
'curl http://h/x | ssh u@h cat /home/x/x/x.txt'
"""

from __future__ import annotations

import re
from typing import Final

_URL = re.compile(
    r"\b([a-z][a-z0-9+.-]{1,15}://)(?:[^\s/@'\"]{1,128}@)?(?:[\w.-]{1,253}|\[[0-9a-f:.%]{2,48}\])(?::\d{1,5})?"
    r"((?:/[\w@+,=.~%$*{}-]*){0,64})"
)
_MAILBOX = re.compile(r"\b[\w.+-]{1,64}@[\w.-]{1,253}\b")
_ADDRESS = re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}\b(?::\d{1,5})?|\b(?:[0-9a-f]{0,4}:){3,7}[0-9a-f]{1,4}\b")
_HOST = re.compile(
    r"\b(?:[a-z0-9-]{1,63}\.){1,8}(?:com|net|org|io|dev|example|test|local|internal|co|uk|de|ru|cn|info|biz|app|xyz|edu|gov)\b(?::\d{1,5})?"
)
_HEX = re.compile(r"\b(?:0x)?(?=[a-f]*\d)[0-9a-f]{8,}\b")
_BASE64 = re.compile(r"[a-z0-9+/]{40,}={0,2}")
_PATH = re.compile(
    r"(?<![\w/])(?!//)(?:~|\.{1,2})?/[\w@+,=.~%$*{}-]*(?:/[\w@+,=.~%$*{}-]*){0,64}|(?<![\w/:.@-])[\w.@-]{1,128}(?:/[\w@+,=.~%-]+){1,64}"
)
_DIGITS = re.compile(r"\d+")
_SPACE = re.compile(r"\s+")
_GIVEN = re.compile(
    r"\b(?:evil\w*|attacker\w*|malicious\w*|malware\w*|hack(?:er|ed)?\w*|victim\w*|pwn(?:ed)?\w*|exploit\w*|payload\w*|atomic\w*"
    r"|benign\w*|foo|bar|baz|qux|example\w*|sample\w*|dummy|placeholder|your[_-]\w+|my[_-]\w+|alice|bob|mallory|eve)\b"
)
_LONGEST_EXTENSION: Final = 5
_NAMES: Final = """
etc var tmp usr bin sbin lib lib64 home root proc sys dev opt mnt media boot run srv log logs spool cron.d cron
crontab crontabs passwd shadow group gshadow sudoers sudoers.d hosts resolv.conf ld.so.preload profile profile.d
init.d rc.local systemd system user pam.d ssh .ssh sshd_config authorized_keys id_rsa id_ed25519 known_hosts .aws
.azure .gnupg .kube .docker .config gcloud credentials .netrc .npmrc .pypirc .pgpass .env .git .github workflows
hooks .bashrc .bash_profile .profile .zshrc .bash_history .zsh_history .vimrc .git-credentials .local share self
environ cmdline mem kcore tcp shm null zero random urandom sda sdb nvme0n1 disk apt yum.repos.d sources.list local
docker.sock sock library launchagents launchdaemons applications users public windows system32 syswow64 temp
appdata roaming programdata software microsoft currentversion config sam security hklm hkcu node_modules src test
tests docs build dist target venv .venv package.json requirements.txt makefile dockerfile readme.md kernel modules
cgroup release_agent
"""
_SEGMENTS: Final = frozenset(_NAMES.split())


def normal(text: str) -> str:
    """The text in lower case with what varies replaced."""
    text = text.lower()
    text = _URL.sub(_url, text)
    text = _MAILBOX.sub("u@h", text)
    text = _ADDRESS.sub("h", text)
    text = _HOST.sub("h", text)
    text = _BASE64.sub("b64", text)
    text = _HEX.sub("hex", text)
    text = _GIVEN.sub("x", text)
    text = _PATH.sub(_path, text)
    text = _DIGITS.sub("0", text)
    return _SPACE.sub(" ", text).strip()


def _url(found: re.Match[str]) -> str:
    return f"{found.group(1)}h" + "/".join(_segment(part) for part in found.group(2).split("/"))


def _path(found: re.Match[str]) -> str:
    return "/".join(_segment(part) for part in found.group().split("/"))


def _segment(part: str) -> str:
    if not part or part in _SEGMENTS or part in {"~", ".", "..", "*", "h", "u@h"}:
        return part
    stem, dot, extension = part.rpartition(".")
    return "x." + extension if dot and stem and extension.isalnum() and len(extension) <= _LONGEST_EXTENSION else "x"


def segments(path: str, most: int) -> str:
    """The first parts of a path, those that are no system's own replaced."""
    return "/".join(_segment(part) for part in path.lower().split("/")[:most])
