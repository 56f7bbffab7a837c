"""Names of files that hold credentials: restricted wherever they lie, and passed over by recursive reads.

>>> names_credential("config/.env"), names_credential("config/env.txt"), names_credential("config/.env.example")
(True, False, False)
"""

from __future__ import annotations

import fnmatch

CREDENTIAL_NAMES = (
    "*.pem", "*.key", "*.p12", "*.pfx", "id_rsa*", "id_ed25519*", ".env", ".env.*", ".npmrc", ".pypirc", ".netrc",
    ".pgpass", ".git-credentials", "credentials.json",
)  # fmt: skip
_TEMPLATES = frozenset((".env.example", ".env.sample", ".env.template", ".env.dist", ".env.defaults"))
CREDENTIAL_FOLDERS = (".ssh", ".aws", ".gnupg", ".kube", ".azure", ".config/gcloud")


def names_credential(path: str) -> bool:
    """Whether a path, relative or absolute, is that of a credential file or lies in a folder of them."""
    name = path.rpartition("/")[2]
    if name in _TEMPLATES:
        return False
    folders = f"/{path.rpartition('/')[0]}/"
    known = any(f"/{folder}/" in folders for folder in CREDENTIAL_FOLDERS)
    return known or any(fnmatch.fnmatchcase(name, pattern) for pattern in CREDENTIAL_NAMES)
