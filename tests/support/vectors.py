"""Reads the golden vectors under ``tests/vectors``; their format is described in that folder's README."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent.parent / "vectors"


def cases(name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((FOLDER / f"{name}.json").read_bytes())["cases"]
    return found


def raw(case: dict[str, Any]) -> bytes:
    """The input bytes of a case: text, hexadecimal, or a repetition."""
    if "hex" in case:
        return bytes.fromhex(case["hex"])
    if "repeat" in case:
        return (case["before"] + case["repeat"] * case["times"] + case["after"]).encode()
    return str(case["input"]).encode()


def name(case: dict[str, Any]) -> str:
    return str(case["name"])
