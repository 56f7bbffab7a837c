"""What the manifests of this package do: one API call each, by boto3, through the proxy.

A function gets its arguments and a context (secrets, deadline, end points), and returns plain JSON.  It runs in a
step process of its own; the cloud is the only thing that it can reach.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

import boto3
from botocore.config import Config

if TYPE_CHECKING:
    from mypy_boto3_rds import RDSClient
    from mypy_boto3_rds.type_defs import DBInstanceTypeDef

REGION = "us-east-1"
HOST = "127.0.0.1"
POLL_SECONDS = 0.5


class Context(Protocol):
    """What the step hands to a function."""

    secrets: Mapping[str, str]
    deadline: float

    def endpoint(self, host: str) -> str: ...


def describe(arguments: Mapping[str, str], context: Context) -> dict[str, str | int]:
    """What a person wants to know of a database before anything happens to it."""
    return _facts(_client(context), arguments["instance"])


def snapshot(arguments: Mapping[str, str], context: Context) -> dict[str, str]:
    """Take a snapshot; returns its name and status."""
    made = _client(context).create_db_snapshot(
        DBInstanceIdentifier=arguments["instance"], DBSnapshotIdentifier=arguments["snapshot"]
    )
    return {"snapshot": arguments["snapshot"], "status": made["DBSnapshot"].get("Status", "")}


def restore(arguments: Mapping[str, str], context: Context) -> dict[str, str | int]:
    """Create a database of another size from a snapshot."""
    client = _client(context)
    client.restore_db_instance_from_db_snapshot(
        DBInstanceIdentifier=arguments["instance"],
        DBSnapshotIdentifier=arguments["snapshot"],
        DBInstanceClass=arguments["size"],
    )
    return _facts(client, arguments["instance"])


def wait(arguments: Mapping[str, str], context: Context) -> dict[str, str | int]:
    """Wait until a database is available and holds as much as the one that it replaces."""
    client = _client(context)
    while time.monotonic() < context.deadline:
        facts = _facts(client, arguments["instance"])
        if facts["status"] == "available":
            return facts | {"complete": int(facts["gigabytes"] == _facts(client, arguments["replaces"])["gigabytes"])}
        time.sleep(POLL_SECONDS)
    raise TimeoutError(arguments["instance"])


def delete(arguments: Mapping[str, str], context: Context) -> dict[str, str]:
    """Delete a database for good."""
    _client(context).delete_db_instance(DBInstanceIdentifier=arguments["instance"], SkipFinalSnapshot=True)
    return {"deleted": arguments["instance"]}


def delete_snapshot(arguments: Mapping[str, str], context: Context) -> dict[str, str]:
    """Delete a snapshot for good."""
    _client(context).delete_db_snapshot(DBSnapshotIdentifier=arguments["snapshot"])
    return {"deleted": arguments["snapshot"]}


def _facts(client: RDSClient, instance: str) -> dict[str, str | int]:
    found: DBInstanceTypeDef = client.describe_db_instances(DBInstanceIdentifier=instance)["DBInstances"][0]
    return {
        "instance": instance,
        "status": found.get("DBInstanceStatus", ""),
        "engine": found.get("Engine", ""),
        "size": found.get("DBInstanceClass", ""),
        "gigabytes": found.get("AllocatedStorage", 0),
    }


def _client(context: Context) -> RDSClient:
    key = json.loads(context.secrets["cloud-key"])
    return boto3.client(
        "rds",
        region_name=REGION,
        endpoint_url=context.endpoint(HOST),
        aws_access_key_id=key["id"],
        aws_secret_access_key=key["secret"],
        config=Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=20),
    )
