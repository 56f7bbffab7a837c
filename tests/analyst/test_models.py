"""The models of commands are strict data: what is wrong in them is an error when they load."""

import json

import pytest

from interlock.analyst.claims import Place
from interlock.analyst.shell import analyse_argv
from interlock.analyst.shell.handlers import HANDLERS
from interlock.analyst.shell.models import Family, Model, ModelError, gather, models, read
from interlock.analyst.shell.signals import vocabulary, weight

PLACE = Place(argument="command", root="/proj", home="/home/ada")


def family(**command: object) -> bytes:
    return json.dumps({"family": "test", "source": "test(1)", "commands": [{"names": ["test"], **command}]}).encode()


@pytest.mark.parametrize(
    ("raw", "part"),
    [
        (b"{", "test.json"),
        (family(colour="red"), "colour"),
        (family(names=[]), "without a name"),
        (family(operands=["reads"]), "no role: 'reads'"),
        (family(values={"-o": "writes"}), "no role: 'writes'"),
        (family(values={"o": "write", "-o;": "write"}), "values"),
        (family(operands=["eat:file"]), "no role"),
        (family(operands=["write:cheese"]), "no role"),
        (family(when=[{"any": "-x", "operands": ["nothing"]}]), "no role"),
        (family(effects=["write file"]), "no effect"),
        (family(effects=["eat file x"]), "no effect"),
        (family(effects=["write cheese x"]), "no effect"),
        (family(signals=["shell.sinister"]), "signals.json"),
        (family(when=[{"signals": ["shell.sinister"]}]), "signals.json"),
        (family(opaque=["Shell"]), "no code"),
        (family(style="loose"), "style"),
        (family(input="gulp"), "input"),
        (family(verbs={"read": "list"}), "verbs"),
        (family(sub={"x": {"operands": ["nothing"]}}), "test x"),
        (b'{"family": "f", "commands": [{"names": ["a"]}]}', "no source"),
    ],
)
def test_a_mistake_is_an_error_that_says_where(raw: bytes, part: str) -> None:
    with pytest.raises(ModelError, match=r"test\.json") as error:
        read(raw, "test.json")
    assert part in str(error.value)


def test_a_name_stands_once() -> None:
    one = Family(family="f", source="s", commands=(Model(names=("a", "b")),))
    with pytest.raises(ModelError, match="b stands twice"):
        gather([("one", one), ("two", Family(family="g", source="s", commands=(Model(names=("b",)),)))])


def all_models(model: Model) -> list[Model]:
    return [model, *(one for child in model.sub.values() for one in all_models(child))]


def test_the_models_of_the_release() -> None:
    found = models()
    assert len(found) > 2000
    every = {id(one): one for model in found.values() for one in all_models(model)}.values()
    assert {one.handler for one in every} - {""} <= set(HANDLERS)
    assert set(HANDLERS) <= {one.handler for one in every}


def test_a_model_is_read_once_and_options_have_all_their_forms() -> None:
    expected = ["read endpoint api.test:443", "write file /proj/o"]
    for words in (["-o", "o"], ["-oo"], ["--output", "o"], ["--output=o"], ["-so", "o"], ["-soo"]):
        claims = analyse_argv(["curl", *words, "https://api.test/"], PLACE)
        assert [f"{one.access} {one.kind} {one.name}" for one in claims.touched] == expected, words


@pytest.mark.parametrize("name", ["cp", "git", "docker", "kubectl", "aws", "apt-get", "systemctl", "psql", "find"])
def test_a_question_for_help_does_nothing(name: str) -> None:
    claims = analyse_argv([name, "--help"], PLACE)
    assert not claims.opaque_codes and not claims.signals


def test_weights() -> None:
    assert {text for _, text in vocabulary().values()} and all(text.endswith(".") for _, text in vocabulary().values())
    assert weight("shell.reverse") == "strong" and weight("sql.of_another_analyser") == "strong"
