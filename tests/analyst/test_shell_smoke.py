"""The shell's analysis names effects, opacity and signals."""

from interlock.analyst.claims import Place
from interlock.analyst.shell import analyse


def test_a_hidden_deletion_of_the_root_is_seen() -> None:
    claims = analyse('r""m -rf /', Place(argument="command", root="/work", home="/home/ada"))
    assert "recursive.root_delete" in claims.signals
