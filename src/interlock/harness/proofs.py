"""Certificates of policies: demanded before a policy decides, made where one is missing or by ``policy prove``.

Must never: sign what was not proved now, in this process, of exactly these files.  The entry in the ledger is durable
before the certificate can be used.  Approvals and receipts quote the certificate's digest.
"""

from __future__ import annotations

import fcntl
from collections.abc import Callable
from importlib import metadata
from typing import TYPE_CHECKING

from interlock.artifact import codec
from interlock.artifact.certificate import Certificate
from interlock.artifact.errors import ConfigurationError, InterlockError
from interlock.artifact.signing import sign, verify
from interlock.decide.policy import PolicyFileError
from interlock.decide.proof import REVISION
from interlock.harness.core import Core, bytes_digest
from interlock.harness.keys import replace_file

if TYPE_CHECKING:
    from interlock.decide.proof.proving import Result

FILE_NAME = "policy-certificate.json"
_HINT = "run: interlock policy prove"
_SAID = {"refuted": "is refuted", "gave-up": "was not decided within the bounds"}


class Prover:
    """Demands the certificate for whoever decides; what has none is proved first, once, whoever else is at it.

    What came of it is remembered until something changes, since proposals may come often.  With ``looking`` nothing is
    written: what is proved then counts for this process alone.
    """

    def __init__(self, core: Core, told: Callable[[str], None], *, looking: bool = False) -> None:
        self._core = core
        self._told = told
        self._looking = looking
        self._known: tuple[object, Certificate | str] | None = None

    def __call__(self) -> Certificate:
        """The certificate; raises ``ConfigurationError`` where there is none and the policy cannot be proved."""
        found = _stored(self._core)
        if found is not None:
            return found
        now = _standing(self._core)
        if self._known is None or self._known[0] != now:
            self._known = now, self._proved() if self._looking else self._alone()
        known = self._known[1]
        if isinstance(known, str):
            raise ConfigurationError("policy.unproved", known, hint=_HINT)
        return known

    def _alone(self) -> Certificate | str:
        with (self._core.workspace.state / f"{FILE_NAME}.lock").open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            return _stored(self._core) or self._proved()

    def _proved(self) -> Certificate | str:
        """Prove; the certificate, or why there is none."""
        try:
            results, certificate = prove(self._core, keep=not self._looking)
        except PolicyFileError as error:
            if error.code != "policy.untranslated":
                raise
            return error.message
        if certificate is None:
            failed = [f"{one.name} {_SAID[one.outcome]}" for one in results if one.outcome != "proved"]
            return f"the policy is not used: {', '.join(failed)}"
        kept = "nothing stored" if self._looking else "certificate stored"
        self._told(f"the policy has changed: {len(results)} invariants proved, {kept}")
        return certificate


def prove(core: Core, *, keep: bool = True) -> tuple[list[Result], Certificate | None]:
    """Prove the policy as it stands now; where all holds, its certificate, signed and recorded if it is to ``keep``."""
    from interlock.decide.proof import proving  # With a solver behind it.

    invariants = core.workspace.invariant_texts()
    results = proving.prove(core.policy, core.site, invariants)
    if not all(one.outcome == "proved" for one in results):
        return results, None
    certificate = Certificate(
        policy=core.policy.digest,
        site=site_digest(core),
        invariants=_digests(invariants),
        proved=tuple(one.name for one in results),
        revision=REVISION,
        solver=f"z3 {metadata.version('z3-solver')}",
        at=core.clock(),
    )
    if keep:
        envelope = sign(core.keys.signer, "certificate", core.policy.digest, certificate)
        core.record("policy", "", core.policy.digest, envelope, code="policy.proved")
        replace_file(core.workspace.state / FILE_NAME, envelope)
    return results, certificate


def certified(core: Core) -> Certificate:
    """The certificate of the policy, its invariants and the site as they are; raises ``ConfigurationError``."""
    path = core.workspace.state / FILE_NAME
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raise ConfigurationError("policy.unproved", "the policy has no certificate", hint=_HINT) from None
    try:
        found = verify(raw, core.keys.keyring, "harness", "certificate", Certificate, at=core.clock()).predicate
    except InterlockError as error:
        raise ConfigurationError(
            "policy.certificate", f"the certificate does not verify: {error.code}", hint=_HINT
        ) from None
    if (found.policy, found.site, dict(found.invariants), found.revision) != _standing(core):
        text = "policy, invariants, protected resources or the prover have changed since they were proved"
        raise ConfigurationError("policy.unproved", text, hint=_HINT)
    return found


def site_digest(core: Core) -> str:
    """A digest of what the floor holds against every request: own and protected resources."""
    return codec.digest((core.site.own, core.site.protected))


def _stored(core: Core) -> Certificate | None:
    try:
        return certified(core)
    except ConfigurationError as error:
        if error.code != "policy.unproved":
            raise
        return None


def _standing(core: Core) -> tuple[str, str, dict[str, str], int]:
    """What a certificate speaks of, as it is now."""
    return core.policy.digest, site_digest(core), _digests(core.workspace.invariant_texts()), REVISION


def _digests(texts: dict[str, str]) -> dict[str, str]:
    return {name: bytes_digest(text.encode()) for name, text in texts.items()}
