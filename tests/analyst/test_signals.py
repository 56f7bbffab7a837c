"""The vocabulary of signals holds every code that an analyser beside the shell's can claim."""

import ast
import importlib.resources
import json
import pathlib

from interlock import analyst
from interlock.analyst import decoding, sql_words, windows

FAMILIES = {
    "sql",
    "url",
    "path",
    "email",
    "text",
    "data",
    "windows",
    "python",
    "shape",
    "environment",
    "download",
    "fork",
    "credential",
}


def claimed() -> set[str]:
    """What is handed to ``signal`` as it stands, and what the tables hold."""
    found = (
        set(sql_words.BY_FUNCTION.values())
        | {code for code, _ in sql_words.PHRASES}
        | {code for code, _ in windows._SIGNALS}
    )
    found |= set(decoding._SIGNALLED.values()) | {
        f"shape.{one}" for one in ("url", "email", "path", "sql", "shell", "python", "powershell", "cmd")
    }
    found |= {"text.bidi", "text.hidden", "text.lookalike", "text.control"}
    for file in pathlib.Path(analyst.__path__[0]).glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "signal":
                found |= {
                    one.value
                    for one in ast.walk(node.args[0])
                    if isinstance(one, ast.Constant) and "." in str(one.value)
                }
    return {code for code in found if not code.endswith(".") and code.partition(".")[0] in FAMILIES | {"shell"}} - {
        "url.",
        "email.",
    }


def test_every_signal_has_a_weight_and_a_meaning() -> None:
    held = json.loads((importlib.resources.files("interlock.analyst") / "signals.json").read_bytes())
    assert claimed() - held.keys() == set()
    assert all(weight in {"strong", "raise", "weak"} and meaning.endswith(".") for weight, meaning in held.values())
    assert list(held) == sorted(held)
