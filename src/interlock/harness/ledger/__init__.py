"""The tamper-evident record of every decision and effect."""

from interlock.harness.ledger.store import Ledger

__all__ = ["Ledger"]
