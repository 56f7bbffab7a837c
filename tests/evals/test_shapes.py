"""What an undeclared action is taken for, by the words of its name and its arguments."""

from __future__ import annotations

import pytest

from interlock.artifact.action import Effect, Reversibility
from interlock.artifact.codec import Json
from interlock.evals import shapes

EFFECTS: dict[tuple[str, str], Effect] = {
    ("get_weather", "city"): Effect.READ,
    ("listOpenInvoices", "customer"): Effect.READ,
    ("billing.invoice.find", "customer"): Effect.READ,
    ("temperature_change.calculate", "start"): Effect.READ,
    ("miles_to_kilometres", "miles"): Effect.READ,
    ("update_profile", "name"): Effect.WRITE,
    ("CalendarManagerCreateEvent", "title"): Effect.WRITE,
    ("drop_index", "name"): Effect.DELETE,
    ("share_document", "title"): Effect.SEND,
    ("transfer_funds", "amount"): Effect.SPEND,
    ("grant_role", "user"): Effect.GRANT_ACCESS,
    ("unlockFrontDoor", "door"): Effect.GRANT_ACCESS,
    ("launch_job", "name"): Effect.EXECUTE,
    ("frobnicate", "x"): Effect.EXECUTE,
}


@pytest.mark.parametrize(("name", "argument"), EFFECTS)
def test_the_verb_says_what_it_does(name: str, argument: str) -> None:
    found = shapes.manifest(name, {argument: "x"})
    assert found.effect is EFFECTS[name, argument]
    assert (found.reversibility is Reversibility.PURE) is (found.effect is Effect.READ)


CODE: dict[str, tuple[str, dict[str, Json], str]] = {
    "a command": ("run_in_terminal", {"command": "ls"}, "shell"),
    "a command of another shell": ("run", {"command": "dir", "shell": "powershell"}, "powershell"),
    "Python": ("execute_code", {"code": "x = 1"}, "python"),
    "SQL": ("query_database", {"query": "SELECT 1"}, "sql"),
}


@pytest.mark.parametrize("name", CODE)
def test_what_runs_code_is_broad_and_says_which_language(name: str) -> None:
    action, arguments, language = CODE[name]
    found = shapes.manifest(action, arguments)
    assert found.broad
    assert next(one.language for one in found.arguments.values() if one.role.value == "command") == language


def test_a_search_for_words_is_no_sql() -> None:
    assert not shapes.manifest("search_web", {"query": "SELECT the best"}).broad


FILES: dict[str, tuple[dict[str, Json], list[tuple[str, str]]]] = {
    "read_file": ({"path": "a"}, [("file", "read")]),
    "write_file": ({"path": "a", "content": "rm -rf /"}, [("file", "write")]),
    "delete_file": ({"file_path": "a"}, [("file", "delete")]),
    "copy_file": ({"source": "a", "destination": "b"}, [("file", "read"), ("file", "write")]),
    "move_file": ({"source": "a", "destination": "b"}, [("file", "write"), ("file", "write")]),
    "open_page": ({"url": "https://a.example/"}, [("url", "read")]),
}


@pytest.mark.parametrize("name", FILES)
def test_paths_and_urls_are_resources(name: str) -> None:
    arguments, resources = FILES[name]
    found = shapes.manifest(name, arguments)
    assert [(one.kind, one.access.value) for one in found.resources] == resources


@pytest.mark.parametrize(
    ("arguments", "effect"),
    [
        ({"method": "GET"}, Effect.READ),
        ({"method": "POST"}, Effect.SEND),
        ({}, Effect.READ),
        ({"body": "x"}, Effect.SEND),
    ],
)
def test_a_request_does_what_its_method_does(arguments: dict[str, Json], effect: Effect) -> None:
    found = shapes.manifest("http_request", {"url": "https://a.example/", **arguments})
    assert (found.effect, found.external) == (effect, True)


def test_an_address_that_is_looked_up_is_no_recipient() -> None:
    assert shapes.manifest("find_user", {"email": "a@a.example"}).arguments["email"].role.value == "content"
    assert shapes.manifest("send_email", {"to": "a@a.example"}).arguments["to"].role.value == "recipient"
