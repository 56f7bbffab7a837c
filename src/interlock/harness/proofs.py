"""Certificates of policies: made by ``interlock policy prove``, demanded before a policy decides.

Must never: sign what was not proved now, in this process, of exactly these files.  The entry in the ledger is durable
before the certificate can be used.  Receipts and approvals name the policy's digest, the certificate's subject.
"""

from __future__ import annotations

from importlib import metadata
from typing import TYPE_CHECKING

from interlock.artifact import codec
from interlock.artifact.certificate import Certificate
from interlock.artifact.errors import ConfigurationError, InterlockError
from interlock.artifact.signing import sign, verify
from interlock.decide.proof import REVISION
from interlock.harness.core import Core, bytes_digest
from interlock.harness.keys import replace_file

if TYPE_CHECKING:
    from interlock.decide.proof.proving import Result

FILE_NAME = "policy-certificate.json"
_HINT = "run: interlock policy prove"


def prove(core: Core) -> list[Result]:
    """Prove the policy as it stands now; where all holds, sign, record and store the certificate."""
    from interlock.decide.proof import proving  # With a solver behind it.

    invariants = core.workspace.invariant_texts()
    results = proving.prove(core.policy, core.site, invariants)
    if all(one.outcome == "proved" for one in results):
        certificate = Certificate(
            policy=core.policy.digest,
            site=site_digest(core),
            invariants=_digests(invariants),
            proved=tuple(one.name for one in results),
            revision=REVISION,
            solver=f"z3 {metadata.version('z3-solver')}",
            at=core.clock(),
        )
        envelope = sign(core.keys.signer, "certificate", core.policy.digest, certificate)
        core.record("policy", "", core.policy.digest, envelope, code="policy.proved")
        replace_file(core.workspace.state / FILE_NAME, envelope)
    return results


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
    now = (core.policy.digest, site_digest(core), _digests(core.workspace.invariant_texts()), REVISION)
    if (found.policy, found.site, dict(found.invariants), found.revision) != now:
        text = "policy, invariants, protected resources or the prover have changed since they were proved"
        raise ConfigurationError("policy.unproved", text, hint=_HINT)
    return found


def site_digest(core: Core) -> str:
    """A digest of what the floor holds against every request: own and protected resources."""
    return codec.digest((core.site.own, core.site.protected))


def _digests(texts: dict[str, str]) -> dict[str, str]:
    return {name: bytes_digest(text.encode()) for name, text in texts.items()}
