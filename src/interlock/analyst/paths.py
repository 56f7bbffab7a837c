"""Paths: which file an argument names once every layer of spelling is off, and whether spelling hid it.

A path that reads the same after decoding is left to the manifest, which says how it is touched.  One that does not
is opaque, since tools differ in what they decode; the file that it could name is claimed as read.

>>> claims = analyse("..%252f..%252fetc/shadow", Place(argument="path", root="/proj/site"))
>>> [one.key for one in claims.touched], sorted(claims.opaque_codes)
(['file:/etc/shadow'], ['path.encoded'])
"""

from __future__ import annotations

import posixpath
import re
from typing import Final

from interlock.analyst import decoding, lookalikes
from interlock.analyst.claims import Claims, Place
from interlock.artifact.action import Effect
from interlock.artifact.credentials import names_credential
from interlock.artifact.resources import inside

MAX_CHARACTERS = 4096
MAX_COMPONENT = 255
MAX_SEGMENTS = 256
_LAYERS = 4

# Bytes that no UTF-8 encoder writes, and that lenient readers take for a dot, a slash or a backslash (RFC 3629, 10).
_OVERLONG: Final = (
    (re.compile(r"%(?:c0|c1|e0%80|f0%80%80|f8%80%80%80|fc%80%80%80%80)%(?:ae|2e|6e|ee)", re.IGNORECASE), "."),
    (re.compile(r"%(?:c0|e0%80|f0%80%80|f8%80%80%80|fc%80%80%80%80)%(?:af|2f|6f|ef|9v|qf)", re.IGNORECASE), "/"),
    (re.compile(r"%(?:c1|e0%81|f0%80%81|c0)%(?:9c|5c|1c|8s|pc)", re.IGNORECASE), "\\\\"),
    (re.compile(r"\\x2e|(?<![0-9a-z])0x2e", re.IGNORECASE), "."),
    (re.compile(r"\\x2f|0x2f", re.IGNORECASE), "/"),
    (re.compile(r"\\x5c|0x5c", re.IGNORECASE), "\\\\"),
)
_UNICODE_DOT = re.compile(r"%u(?:002e|ff0e|2024)", re.IGNORECASE)
_UNICODE_SLASH = re.compile(r"%u(?:002f|ff0f|2215|2044|efc8|f025)", re.IGNORECASE)
_UNICODE_BACKSLASH = re.compile(r"%u(?:005c|ff3c|2216)", re.IGNORECASE)
_UNICODE_ANY = re.compile(r"%u[0-9a-f]{4}", re.IGNORECASE)
_ENTITY = re.compile(r"&(?:#\d{1,7}|#x[0-9a-f]{1,6}|sol|period|bsol|lowbar);", re.IGNORECASE)
_SEMICOLON = re.compile(r"\.\.;(?=/|\Z)")
_DOTS_ONLY = re.compile(r"(?:^|[/\\])(\.{3,})(?=[/\\]|\Z)")
_INSERTED = re.compile(r"\.\.\./?\./|\.\.\.\.//|\.\.\.\.\\\\|\.\./\\|\.\.\\/")
_WINDOWS = re.compile(r"[A-Za-z]:(?:[\\/]|\Z)|\\\\[^\\]|//[?.]/|\\\\[?.]\\|[^/]*::\$DATA")
_WINDOWS_DEVICE = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)(?:\.\w*)?\Z", re.IGNORECASE)
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{1,20}:(?://|(?=[^/]*\Z)(?=.*/))")
_SYSTEM: Final = (
    "/etc",
    "/proc",
    "/sys",
    "/dev",
    "/boot",
    "/root",
    "/var/run",
    "/run",
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib64",
    "/var/lib",
    "/var/spool",
    "/var/log",
    "/var/www",
    "/opt",
    "/System",
    "/Library",
    "/private/etc",
    "/snap",
    "/windows",
    "/winnt",
    "/WINDOWS",
    "/Windows",
)
_SCRATCH: Final = "/tmp"  # noqa: S108 - a name, not a file that is opened
_HARMLESS: Final = frozenset({"/dev/null", "/dev/stdin", "/dev/stdout", "/dev/stderr", "/dev/zero", "/dev/urandom"})
_SECRET_FILES: Final = (
    "/etc/shadow",
    "/etc/gshadow",
    "/etc/sudoers",
    "/etc/ssl/private",
    "/etc/passwd-",
    "/etc/shadow-",
    "/etc/security/opasswd",
    "/proc/self/environ",
    "/run/secrets",
    "/var/run/secrets",
    "/etc/krb5.keytab",
    "/var/lib/docker",
    "/etc/kubernetes",
    "/root/.ssh",
    "/root/.bash_history",
    "/var/run/docker.sock",
    "/run/docker.sock",
)
_SECRET_NAMES = re.compile(
    (
        r"(?:^|/)(?:\.docker/config\.json|\.(?:bash|zsh|python|mysql|psql|node_repl)_history|\.htpasswd"
        r"|wallet\.dat|secring\.\w+|[\w.-]*\.kdbx?|\.config/gh/hosts\.yml|\.vault-token"
        r"|\.terraform\.d/credentials\.tfrc\.json|logins\.json|Login Data|key[34]\.db|cookies\.sqlite"
        r"|authorized_keys|known_hosts|id_(?:dsa|ecdsa)\w*|secrets?\.(?:ya?ml|json|toml|env)|\w+\.env"
        r"|service[_-]account[\w-]*\.json|proc/\d+/environ)\Z"
    ),
    re.IGNORECASE,
)
_MENTIONED = re.compile(
    r"(?<![\w@/])(?:~?/)?[\w-]{0,64}\.?[\w-]{1,64}(?:[/.][\w.-]{1,64}){0,16}|(?<![\w@/.])\.[a-z][\w./-]{1,128}"
)
_PERSISTENCE = re.compile(
    r"(?:^|/)(?:\.(?:bashrc|bash_profile|bash_login|bash_logout|profile|zshrc|zprofile|zshenv|zlogin"
    r"|kshrc|cshrc|tcshrc|inputrc|xinitrc|xprofile|vimrc|emacs|pam_environment)"
    r"|\.ssh/(?:authorized_keys|config|rc)|\.config/(?:autostart|systemd|fish/config\.fish)"
    r"|\.git/(?:hooks|config)|\.gitconfig|\.gitmodules|\.pre-commit-config\.yaml|etc/(?:cron[\w.]*"
    r"|crontab|init\.d|rc\.local|rc\d\.d|profile(?:\.d)?|ld\.so\.preload|ld\.so\.conf\.d|systemd"
    r"|pam\.d|sudoers(?:\.d)?|environment|bash\.bashrc|xdg/autostart|udev|modules|apt/apt\.conf\.d)"
    r"|var/spool/cron|LaunchAgents|LaunchDaemons|sitecustomize\.py|usercustomize\.py|[\w-]+\.pth)(?:/"
    r"|\Z)"
)


def analyse(text: str, place: Place) -> Claims:
    """Claims about one path."""
    claims = Claims(place)
    examine(text, claims)
    return claims


def examine(text: str, claims: Claims) -> None:
    """Add what is to be said of one path."""
    if len(text) > MAX_CHARACTERS or any(len(part) > MAX_COMPONENT for part in re.split(r"[/\\]", text)):
        claims.opaque("path.too_long")
        text = text[-MAX_CHARACTERS:]
    if (found := _SCHEME.match(text)) is not None and found[0].endswith("//"):
        claims.inline("url", text)
        return
    plain = _decoded(text, claims)
    name = _canonical(plain, claims)
    if name is None:
        return
    if plain != text:
        claims.touch(Effect.READ, "file", name)
    _place(name, claims)


def note(text: str, claims: Claims, *, reads: bool) -> None:
    """Signals about a file that code touches, by any spelling of its path: whether it is one that matters."""
    place = claims.place
    home = place.home if text.startswith("~/") and place.home else ""
    name = posixpath.normpath(posixpath.join(place.root, home + text[1:] if home else text)).replace("//", "/", 1)
    if credential(name):
        claims.signal("credential.read" if reads else "path.credential")
    if not reads and system(name):
        claims.signal("path.system")
    if not reads and persistent(name):
        claims.signal("path.persistence")


def mentions_credential(text: str) -> bool:
    """Whether prose speaks of a file that holds credentials."""
    return any(credential(one.rstrip(".")) for one in _MENTIONED.findall(text[: 4 * MAX_CHARACTERS])[:MAX_SEGMENTS])


def credential(name: str) -> bool:
    """Whether a canonical path names a file that holds credentials."""
    return (
        names_credential(name)
        or _SECRET_NAMES.search(name) is not None
        or any(inside(name, one) for one in _SECRET_FILES)
    )


def system(name: str) -> bool:
    """Whether a canonical path belongs to the system rather than to a user."""
    return name not in _HARMLESS and (name == "/" or any(inside(name, one) for one in _SYSTEM))


def persistent(name: str) -> bool:
    """Whether what is written to a canonical path runs later by itself."""
    return _PERSISTENCE.search(name) is not None


def _decoded(text: str, claims: Claims) -> str:
    """The text with every layer of spelling off."""
    plain = text
    for _ in range(_LAYERS):
        layer = _layer(plain)
        if layer == plain:
            break
        plain = layer
    else:
        claims.opaque("path.encoded")
    if plain != text:
        claims.opaque("path.encoded")
    folded = lookalikes.normal(plain)
    shown = folded if set(re.findall(r"[./\\]", folded)) != set() and folded != plain else plain
    if shown.count("/") + shown.count("..") + shown.count("\\") > plain.count("/") + plain.count("..") + plain.count(
        "\\"
    ):
        claims.opaque("path.encoded")
        plain = shown
    return _trimmed(plain, claims)


def _layer(text: str) -> str:
    for pattern, char in _OVERLONG:
        text = pattern.sub(char, text)
    text = _UNICODE_BACKSLASH.sub("\\\\", _UNICODE_SLASH.sub("/", _UNICODE_DOT.sub(".", text)))
    text = _UNICODE_ANY.sub("/", text)
    if _ENTITY.search(text) is not None:
        text = decoding.entities(text)
    return (
        decoding.percent(text)
        if re.search(r"%(?:2[5ef]|5c|00|0a|0d|%[0-9a-f]{2})|(?:%[0-9a-f]{2}){3}", text, re.IGNORECASE)
        else text
    )


def _trimmed(plain: str, claims: Claims) -> str:
    """Without what some readers drop or cut at: null bytes, semicolons, doubled dots, backslashes."""
    if any(char < " " or char == "\x7f" for char in plain):
        claims.opaque("path.control")
        plain = re.split(r"[\x00-\x1f\x7f]", plain.lstrip("\0\t\n\r "), maxsplit=1)[0]
    if _WINDOWS.match(plain) is not None or _WINDOWS_DEVICE.match(posixpath.basename(plain)) is not None:
        claims.opaque("path.windows")
    if "\\" in plain:
        claims.opaque("path.backslash")
        plain = plain.replace("\\", "/")
    if (
        _SEMICOLON.search(plain) is not None
        or _INSERTED.search(plain) is not None
        or _DOTS_ONLY.search(plain) is not None
    ):
        claims.opaque("path.encoded")
        plain = _DOTS_ONLY.sub("/..", _INSERTED.sub("../", _SEMICOLON.sub("..", plain)))
    if re.search(r"\$\(|\$\{?\w|`", plain) is not None:
        claims.opaque("path.expansion")
    return plain


def _canonical(plain: str, claims: Claims) -> str | None:
    if not plain:
        return None
    if plain.count("/") > MAX_SEGMENTS:
        claims.opaque("path.too_long")
    place = claims.place
    if plain == "~" or plain.startswith("~/"):
        plain = (place.home or "/root-of-home") + plain[1:]
    elif plain.startswith("~"):
        claims.opaque("path.expansion")
    if _climbs(plain):
        claims.signal("path.traversal")
    return posixpath.normpath(posixpath.join(place.root, plain)).replace("//", "/", 1)


def _climbs(path: str) -> bool:
    """Whether dot segments lead above where the path starts, or an absolute path steps back at all."""
    depth = 0
    for segment in path.split("/"):
        depth += (segment not in {"", ".", ".."}) - (segment == "..")
        if depth < 0 or (segment == ".." and path.startswith("/")):
            return True
    return False


def _place(name: str, claims: Claims) -> None:
    if not inside(name, claims.place.root) and not inside(name, _SCRATCH) and name not in _HARMLESS:
        claims.signal("path.outside")
    if credential(name):
        claims.signal("path.credential")
    if system(name):
        claims.signal("path.system")
    if persistent(name):
        claims.signal("path.persistence")
