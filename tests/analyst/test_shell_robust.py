"""The analysis never raises, ends in bounded work, and its claims always fit an artifact."""

import hypothesis.strategies as st
import pytest
from hypothesis import example, given, settings

from interlock.analyst.claims import Place
from interlock.analyst.shell import analyse, analyse_argv
from interlock.analyst.shell.models import models
from interlock.artifact.analysis import Analysis
from interlock.artifact.codec import decode, encode

PLACE = Place(argument="command", root="/proj", home="/home/ada")
# fmt: off
PIECES = st.sampled_from([
    "rm -rf", "cat", "$(", ")", "`", "'", '"', "\\", "\n", ";", "|", "||", "&&", "&", ">", ">>", "<", "<<E\n",
    "\nE\n", "<<<", "${", "}", "{", "a,b", "$x", "${x:0:1}", "x=", "if", "then", "fi", "for i in", "do", "done",
    "case", "esac", "in", "while", "((", "))", "[[", "]]", "[", "]", "function f", "f()", "eval", "sh -c",
    "find . -exec", "xargs", "sudo", "*", "?", "~", "#", "!", "=", "$'\\x41'", "${!x}", "${x//a/b}", "${x[@]}",
    "$((1+2))", "{1..9}", "/etc/passwd", "/dev/tcp/a/1", "<(", ">(", "2>&1", "--", "-c", "é", "\t", " ", " ", " ",
    "awk '{system(\"ls\")}'", "sed -i s/a/b/e", "git -c core.pager=x log", "tar xf", "docker run -v /:/m",
    "curl -d @f", "base64 -d", "printf %s%d", "tr a-z b-za", "set --", "read x", "trap", "alias a=",
])
# fmt: on
COMMANDS = sorted(models())


def fits(analysis: Analysis) -> None:
    assert decode(encode(analysis), Analysis) == analysis


@settings(max_examples=400, deadline=None)
@given(st.lists(PIECES, max_size=24).map("".join) | st.lists(PIECES, max_size=16).map(" ".join))
@example("${" * 500)
@example("$(" * 500)
@example("((" * 400 + "))" * 400)
@example("{a,b}" * 40)
@example("{1..999999}{1..999999}")
@example("echo " + "x" * 300_000)
@example("\ud800")
@example("echo \ue000")
@example("f() { f; f; }; f")
@example("${x#" * 60)
@example("x=$x$x; " * 200)
@example("x=aa; " + "x=$x$x; " * 40 + "echo ${x//a/bb}")
@example("if true; then " * 100)
@example("for a in 1 2 3 4; do " * 12 + "ls;" + "done;" * 12)
@example("eval 'eval \"eval eval\"'" * 20)
@example("printf '%s%s%s' {1..300}")
@example("echo $((9**9**9)) $((1<<999999999)) ${x:99999999999999999999:1}")
@example("{\U000ac1af);")
@example("{{\U000a37fd")
@example("3&{\U000fd804\U00101fd5*")
@example("{é{ü{\u4e2d")
@example("kubectl " + "-n " * 5000)
def test_any_text_gets_claims_that_fit(text: str) -> None:
    fits(analyse(text, PLACE).analysis())


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=300))
def test_random_text_gets_claims_that_fit(text: str) -> None:
    fits(analyse(text, PLACE).analysis())


@settings(max_examples=500, deadline=None)
@given(
    st.sampled_from(COMMANDS),
    st.lists(st.sampled_from(["-a", "-c", "-e", "-f", "-o", "-i", "-x", "--exec", "--file=", "-rf", "--", "-", "{}", ";", "+", "a=b", "@f", "/etc/x", "../y", "http://h/p", "host:/p", "*", "run", "delete", "get", "x y", "", "\n", "é", "'q", "$(ls)", "1", "-1"]) | st.text(max_size=12), max_size=8),
)  # fmt: skip
def test_every_modelled_command_takes_any_arguments(name: str, words: list[str]) -> None:
    fits(analyse_argv([name, *words], PLACE).analysis())
    fits(analyse(" ".join([name, *words]), PLACE).analysis())


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("#" * 300_000, "shell.too_large"),
        ("echo {a,b,c,d}{a,b,c,d}{a,b,c,d}{a,b,c,d}{a,b,c,d}; " * 300, "shell.too_large"),
        ("x=$x$x$x;" * 25_000, "shell.too_large"),
        ("cat <<E\n" + "$x " * 50_000 + "\nE\n", "shell.too_large"),
        ("x=" + "a" * 2000 + "; echo " + "${x%%*b}" * 20_000, "shell.too_large"),
        ("awk '" + "print x > " * 20_000 + "'", "shell.too_large"),
        ("( " * 90 + "ls" + " )" * 90, "shell.too_deep"),
        ("echo " + "$(echo " * 90 + ")" * 90, "shell.too_deep"),
        ("sh -c '" + "eval " * 3 + "ls'; " * 1 + "x() { y; }; y() { x; }; x", "shell.recursion"),
    ],
)
def test_what_is_beyond_a_bound_is_opaque(text: str, code: str) -> None:
    assert code in analyse(text, PLACE).opaque_codes


def test_nested_shells_are_bounded() -> None:
    text = "ls"
    for level in range(12):
        text = f"sh <<'E{level}'\n{text}\nE{level}\n"
    assert "shell.too_deep" in analyse(text, PLACE).opaque_codes
