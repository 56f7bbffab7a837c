"""The one error root: every error a caller may meet carries a stable code and says what, why and what next.

Codes are part of the published interface: tests, documents and other programs match on them, never on the
text.  A subclass fixes the family; ``code`` names the case.  Nothing here ever holds a value that a label
protects: texts name fields, sizes and codes.

>>> error = CodecError("codec.float", "a float at $.steps[0]", hint="write amounts as integers of minor units")
>>> str(error)
'codec.float: a float at $.steps[0] (write amounts as integers of minor units)'
"""

from __future__ import annotations


class InterlockError(Exception):
    """Base of all errors; ``code`` is stable, ``message`` says what happened, ``hint`` what to do next."""

    def __init__(self, code: str, message: str, *, hint: str = "") -> None:
        self.code = code
        self.message = message
        self.hint = hint
        super().__init__(f"{code}: {message}" + (f" ({hint})" if hint else ""))


class CodecError(InterlockError):
    """Bytes that are not exactly one value of the expected type in the restricted domain."""


class SignatureError(InterlockError):
    """An envelope, key or validity window that does not verify."""


class IntegrityError(InterlockError):
    """A record that should prove something does not: ledger, proof, checkpoint, snapshot."""


class GrantError(InterlockError):
    """A grant that does not authorise what is asked of it."""


class ReferenceEvaluationError(InterlockError):
    """A reference or expression that does not evaluate within its bounds."""


class SandboxError(InterlockError):
    """A confinement layer that is missing or that a probe got through."""


class ChannelError(InterlockError):
    """A frame or message outside the protocol of its channel."""


class StateError(InterlockError):
    """A request that the present state of a task, plan or store does not admit."""


class ConfigurationError(InterlockError):
    """A workspace, policy or manifest file that cannot be used as it stands."""


class SeparationViolation(BaseException):
    """An attempt to cross a trust domain (I11); no ``except Exception`` can swallow it."""

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        self.message = message
        super().__init__(f"{code}: {message}")
