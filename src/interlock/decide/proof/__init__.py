"""Proofs of policies: what holds for every request, or a request for which it does not (docs/proof.md: the claim).

Nothing here takes part in a decision; z3 is imported when a proof begins.
"""

REVISION = 5  # of translation and shipped invariants; a certificate of another one does not count
