"""What every child sees of this machine, read-only: the interpreter, its modules and the shared libraries."""

from __future__ import annotations

import functools
import os
import sys
import sysconfig
from pathlib import Path
from typing import Final

from interlock.harness.sandbox.profiles import PROFILES, Role

_LIBRARIES: Final = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/etc/ld.so.cache")
_SHARED_PREFIXES: Final = ("/usr", "/usr/local")
_NETWORK: Final = ("/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/gai.conf")
_TRUST: Final = (  # Certificates of public authorities, which a program in a step needs as well to speak TLS.
    "/etc/ssl/certs",
    "/etc/ssl/openssl.cnf",
    "/usr/share/ca-certificates",
    "/etc/pki/tls/certs",
    "/etc/pki/ca-trust/extracted",
)
_DEVICES: Final = ("/dev/null", "/dev/urandom")
_PACKAGE: Final = Path(__file__).resolve().parents[2]


@functools.cache
def module_path() -> list[str]:
    """The folders from which a zygote imports: third-party packages, and the one that holds this package."""
    names = [*(sysconfig.get_path(kind) for kind in ("purelib", "platlib")), str(_PACKAGE.parent)]
    return list(dict.fromkeys(os.path.realpath(name) for name in names))


@functools.cache
def runtime_paths(role: Role) -> tuple[str, ...]:
    """Canonical paths of the role's read-only runtime, none inside another."""
    prefix = os.path.realpath(sys.base_prefix)
    python = [prefix] if prefix not in _SHARED_PREFIXES else []
    python += [os.path.realpath(sysconfig.get_path(kind)) for kind in ("stdlib", "platstdlib")]
    packages = [os.path.realpath(sysconfig.get_path(kind)) for kind in ("purelib", "platlib")]
    libraries = [name for name in _LIBRARIES if not Path(name).is_symlink()]
    profile = PROFILES[role]
    trust = _TRUST if profile.network != "none" else ()
    extra = [*trust, *(_NETWORK if profile.network == "host" else ()), *(_DEVICES if profile.paths else ())]
    wanted = sorted({*python, *packages, str(_PACKAGE), *libraries, *extra})
    present = [path for path in wanted if Path(path).exists()]
    return tuple(path for path in present if not any(path.startswith(f"{other}/") for other in present))
