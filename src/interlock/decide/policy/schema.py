"""The vocabulary of policies: one Cedar schema, built in, and the bounds on what is read.

Cedar's actions are the seven effects of manifests; everything else that a rule may ask stands in ``context``,
as plain values, so that one decision needs no entity of its own (measured: half the cost).  Sets of strings:
``scope`` holds ``project=web`` and the bare ``project`` for each dimension of the task; ``matched`` holds those
pattern facts of the policy set that are true (see ``patterns``).  ``data`` is 0 public, 1 internal, 2 private,
3 restricted.  ``cost`` is in minor units of money.  ``host`` and ``port`` are set for end points only.
"""

from __future__ import annotations

import cedarpy

TEXT = """
type Facts = {
  action: String, version: Long, group: String, reversibility: String,
  privileged: Bool, external: Bool, broad: Bool, untrusted: Bool, tainted: Bool, unattended: Bool, open: Bool,
  kind: String, resource: String, access: String, host: String, port: Long,
  destinations: Set<String>, signals: Set<String>, matched: Set<String>, roles: Set<String>, scope: Set<String>,
  data: Long, environment: String, cost: Long, approvals: Long,
};
entity Principal;
entity Resource;
action "read", "write", "delete", "execute", "send", "spend", "grant-access"
  appliesTo { principal: [Principal], resource: [Resource], context: Facts };
"""
SCHEMA = cedarpy.Schema.from_str(TEXT)
NO_ENTITIES = cedarpy.Entities.from_json_str("[]")  # pyright: ignore[reportUnknownMemberType]

MAX_TEXT = 1 << 18
MAX_STATEMENT = 1 << 15
MAX_NESTING = 48
MAX_RULES = 4096
MAX_PATTERN = 1024
MAX_APPROVALS = 16
