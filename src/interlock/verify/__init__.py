"""The auditor's offline verifier: an exported ledger, public keys, and nothing of the harness.

>>> from interlock.verify import verify_bundle
"""

from interlock.verify.bundle import Report, verify_bundle

__all__ = ["Report", "verify_bundle"]
