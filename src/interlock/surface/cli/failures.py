"""Exit codes, and an error as a person reads it: what happened, why, what to do next.

0 ok, 1 our fault, 2 usage, 3 denied, 4 approval pending, 5 integrity failure, 6 halted (and 130 for Ctrl-C).
"""

from __future__ import annotations

import enum

from interlock.artifact.errors import (
    CodecError,
    ConfigurationError,
    GrantError,
    IntegrityError,
    InterlockError,
    SeparationViolation,
    SignatureError,
    StateError,
)
from interlock.surface.cli.visible import visible


class Exit(enum.IntEnum):
    """The published exit codes."""

    OK = 0
    FAULT = 1
    USAGE = 2
    DENIED = 3
    PENDING = 4
    INTEGRITY = 5
    HALTED = 6
    INTERRUPTED = 130


_BY_CODE = (
    ("approval.time", Exit.USAGE),
    ("approval.not_pending", Exit.USAGE),
    ("approval.repeated", Exit.USAGE),
    ("approval.self", Exit.DENIED),
    ("approval.", Exit.INTEGRITY),
    ("vault.altered", Exit.INTEGRITY),
    ("budget.", Exit.DENIED),
    ("floor.", Exit.DENIED),
    ("flow.", Exit.DENIED),
    ("scope.", Exit.DENIED),
    ("policy.denied", Exit.DENIED),
    ("task.frozen", Exit.HALTED),
    ("manifest.changed", Exit.HALTED),
    ("policy.changed", Exit.HALTED),
    ("eval.item", Exit.USAGE),
    ("eval.suite", Exit.USAGE),
    ("eval.size", Exit.USAGE),
    ("plan.altered", Exit.INTEGRITY),
    ("plan.pending", Exit.PENDING),
    ("plan.deferred", Exit.PENDING),
    ("plan.denied", Exit.DENIED),
    ("plan.halted", Exit.HALTED),
    ("plan.revoked", Exit.HALTED),
    ("plan.expired", Exit.HALTED),
    ("run.stopped", Exit.HALTED),
    ("undo.", Exit.HALTED),
)
_BY_KIND: tuple[tuple[type[BaseException], Exit], ...] = (
    (SeparationViolation, Exit.HALTED),
    (IntegrityError, Exit.INTEGRITY),
    (SignatureError, Exit.INTEGRITY),
    (GrantError, Exit.DENIED),
    (ConfigurationError, Exit.USAGE),
    (CodecError, Exit.USAGE),
    (StateError, Exit.USAGE),
)
_WHY: tuple[tuple[type[BaseException], str], ...] = (
    (SeparationViolation, "A process tried to leave its role; the task is frozen."),
    (IntegrityError, "A record that should prove something does not."),
    (SignatureError, "A signature, a key or its validity does not hold."),
    (GrantError, "The grant does not cover what was asked."),
    (ConfigurationError, "The configuration cannot be used as it stands; nothing was started with a part of it."),
    (CodecError, "The bytes are not exactly one value of the expected form."),
    (StateError, "The present state does not admit the request."),
    (InterlockError, "Interlock could not do its part here."),
)


def exit_code(error: InterlockError | SeparationViolation) -> Exit:
    """The exit code of an error, by its stable code and then by its family."""
    for prefix, code in _BY_CODE:
        if error.code.startswith(prefix):
            return code
    return next((code for kind, code in _BY_KIND if isinstance(error, kind)), Exit.FAULT)


def why(error: BaseException) -> str:
    """One sentence on the family of an error."""
    return next((text for kind, text in _WHY if isinstance(error, kind)), "")


def block(error: InterlockError | SeparationViolation) -> str:
    """What happened, why, and what to do next, with the code; no character of it can deceive."""
    hint = getattr(error, "hint", "") or "run: interlock doctor"
    return f"error: {visible(error.message)}  [{visible(error.code)}]\n  why:  {why(error)}\n  next: {visible(hint)}"


def document(error: InterlockError | SeparationViolation) -> dict[str, object]:
    """The same for ``--json``."""
    found = {"code": error.code, "message": error.message, "why": why(error), "hint": getattr(error, "hint", "")}
    return {"error": found, "exit": int(exit_code(error))}
