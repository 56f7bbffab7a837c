"""What git must not do in a step: run anything that a repository's files or configuration name.

Fixed settings go into the environment, where they outrank every file.  Filters, drivers and helpers are named
freely by a repository, so its settings are listed first (listing runs nothing), and each one that names a
program is overridden by nothing.

Source: git-config(1), ``GIT_CONFIG_COUNT``; gitattributes(5).
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from typing import Final

from interlock.executor.work import DriverError

_FIXED: Final = {
    "core.hooksPath": "/dev/null",
    "core.fsmonitor": "false",
    "core.pager": "cat",
    "core.editor": "false",
    "core.askPass": "",
    "core.sshCommand": "false",
    "core.attributesFile": "/dev/null",
    "credential.helper": "",
    "diff.external": "",
    "gc.auto": "0",
    "maintenance.auto": "false",
    "protocol.ext.allow": "never",
    "protocol.file.allow": "user",
    "safe.directory": "*",
    "submodule.recurse": "false",
}
_RUNS: Final = re.compile(
    r"(filter\..+\.(clean|smudge|process|required)|diff\..+\.(textconv|command)|merge\..+\.driver"
    r"|(credential|mergetool|difftool|browser|man|guitool)\..+\.(helper|cmd|path)|credential\..*helper"
    r"|(gpg|gpg\..+)\.program|pager\..+|sequence\.editor|core\.(alternaterefscommand|gitproxy)"
    r"|remote\..+\.(uploadpack|receivepack|vcs|proxy)|trailer\..+\.(command|cmd)|alias\..+|interactive\.difffilter"
    r"|uploadpack\.packobjectshook|submodule\..+\.update|http\..*proxy|http\.proxy)\Z",
    re.IGNORECASE,
)
_VALUES: Final = {"required": "false", "update": "none"}
_MAX_SETTINGS: Final = 4096


def environment(git: str, base: Mapping[str, str], seconds: float) -> dict[str, str]:
    """``base`` with the settings that keep git from running what a repository names; raises ``DriverError``."""
    quiet = {
        **base,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_NO_REPLACE_OBJECTS": "1",
    }
    fixed = {**quiet, **_settings(_FIXED)}
    found = {name: _VALUES.get(name.rpartition(".")[2].lower(), "") for name in _named(git, fixed, seconds)}
    return {**quiet, **_settings({**found, **_FIXED})}


def _named(git: str, environ: Mapping[str, str], seconds: float) -> list[str]:
    """The settings in force that name a program."""
    try:
        listed = subprocess.run(
            [git, "config", "--list", "--name-only", "-z"],
            env=environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise DriverError("shell.git_config", "git did not list its settings in time") from None
    names = sorted({name for name in listed.stdout.decode("utf-8", "surrogateescape").split("\0") if _RUNS.match(name)})
    if len(names) > _MAX_SETTINGS:
        raise DriverError("shell.git_config", "a repository with too many settings that name programs")
    return names


def _settings(values: Mapping[str, str]) -> dict[str, str]:
    found = {"GIT_CONFIG_COUNT": str(len(values))}
    for number, (name, value) in enumerate(values.items()):
        found[f"GIT_CONFIG_KEY_{number}"] = name
        found[f"GIT_CONFIG_VALUE_{number}"] = value
    return found
