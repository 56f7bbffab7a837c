"""What is restricted by default: files that hold credentials, and content that has the shape of one.

The shapes are the published formats of issuers (AWS, GitHub, Slack, Stripe, OpenAI, PEM, JWT); recognising one
raises a label and decides nothing.  A miss is possible, so this is hygiene and not a boundary.
"""

from __future__ import annotations

import re

from interlock.artifact.codec import Json
from interlock.artifact.credentials import CREDENTIAL_FOLDERS, CREDENTIAL_NAMES

CREDENTIAL_PATHS = (
    *(f"~/{folder}/**" for folder in CREDENTIAL_FOLDERS), "~/.docker/config.json", "/etc/shadow", "/etc/gshadow",
    "/etc/ssl/private/**", *(f"**/{name}" for name in CREDENTIAL_NAMES),
)  # fmt: skip

# Every quantifier has an upper bound, so that hostile text costs a bounded number of steps for each character.
_SHAPES = re.compile(
    r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----"
    r"|\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"
    r"|\bgh[pousr]_[A-Za-z0-9]{36,255}\b|\bgithub_pat_[A-Za-z0-9_]{60,255}\b"
    r"|\bxox[abprs]-[A-Za-z0-9-]{10}"
    r"|\b[sr]k_live_[A-Za-z0-9]{20}"
    r"|\bsk-[A-Za-z0-9_-]{32}"
    r"|\beyJ[A-Za-z0-9_-]{10,2048}+\.eyJ[A-Za-z0-9_-]{10}"
)


def secret_shaped(value: Json) -> bool:
    """Whether any string in the value holds something of a credential's shape."""
    match value:
        case str():
            return _SHAPES.search(value) is not None
        case list():
            return any(secret_shaped(item) for item in value)
        case dict():
            return any(secret_shaped(key) or secret_shaped(item) for key, item in value.items())
        case _:
            return False
