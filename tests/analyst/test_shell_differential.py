"""Against the shell itself: whatever ``bash`` runs, the analysis has claimed, or it has said that it cannot see.

Random lines hide one deletion behind quotes, expansions, control and wrappers.  ``bash`` runs them with a search path
that holds a recording ``rm`` alone besides a few pure tools.
"""

import base64
import os
import random
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from interlock.analyst.claims import Place
from interlock.analyst.shell import analyse

TARGET = "/victim/x"
PRELUDE = "r=r m=m cmd=rm empty= long=xxrm long2=rmyy up=RM arr=(rm) t=/victim/x; "
TOOLS = ("sh", "bash", "cat", "tr", "base64", "env", "xargs", "rev", "awk", "timeout", "nohup")
# fmt: off
NAMES = [
    "rm", 'r""m', "r''m", "r\\m", "\\rm", '"rm"', "$'rm'", "$'\\x72m'", "${r}m", "$r$m", "${cmd}", "$(echo rm)", "`echo rm`",
    "r${empty}m", "r$@m", "{rm,}", "$(printf rm)", "$(printf '\\162m')", "${cmd:0:2}", "${long#xx}", "${long2%yy}", "${up,,}",
    "command rm", "builtin command rm", "env rm", "eval rm", "exec rm", "nohup rm", "timeout 5 rm", "env A=1 rm", "env -S 'rm'",
    "${cmd//z/}", "$(rev <<< mr)", "$(echo mr | rev)", "$(tr a-z b-za <<< ql)", "${arr[0]}", "${arr[@]}", '"${arr[@]}"', "r\\\nm",
    '$"rm"', "${empty:-rm}", "${nope-rm}", "$(echo r)m", "${arr[*]}", "${cmd^^}", "A=b rm", "time rm", "! rm", "coproc rm",
]
TARGETS = [
    TARGET, '"/victim/x"', "'/victim/x'", '/vic""tim/x', "/{victim,victim}/x", "$t", '"$t"', "${t}", "/victim/$(echo x)",
    "/../victim/x", "/victim/./x", "$'/victim/\\x78'", "/${t:1}", "~/../victim/x", "${t%/}", "${nope:-/victim/x}", "`echo $t`",
    '"$(echo $t)"', "${t/q/z}", "$(cat <<< $t)", "-f $t", "-- $t", "$t 2>/dev/null", "> /dev/null $t", "/victim/{x,y}",
]
SHAPES = [
    "( {} )", "{{ {}; }}", "true && {}", "false || {}", "if true; then {}; fi", "if false; then :; else {}; fi",
    "for q in 1; do {}; done", "FN() {{ {}; }}; FN", "case a in a) {};; esac", 'echo "$({})"', "cat <({})", "x=$({})",
    "while true; do {}; break; done", '[ "$({})" ]', "echo a | {}", "{} &\nwait", "> /dev/null {}", "echo $(( $({}) 1 ))",
    "until {}; do break; done", "[[ $({}) ]] || true", "cat <<E\n$({})\nE\n", "cd . && {}", "function FN {{ {}; }}; FN", "x[$({})]=1",
]
CODED = base64.b64encode(f"rm {TARGET}".encode()).decode()
WHOLE = [
    'export t; sh -c "rm \\$t"', f'eval "rm {TARGET}"', f"echo rm {TARGET} | sh", f"echo {CODED} | base64 -d | bash",
    f"cat <<E | bash\nrm {TARGET}\nE\n", f"echo {TARGET} | xargs rm", f'trap "rm {TARGET}" EXIT', f'bash <<< "rm {TARGET}"',
    f"awk 'BEGIN {{ system(\"rm {TARGET}\") }}'", f'set -- rm {TARGET}; "$@"', f"bash -c 'rm \"$1\"' _ {TARGET}",
    f"echo rm {TARGET} > s; . ./s", "g() { $1 $2; }; g rm $t", f"IFS=,; z=rm,{TARGET}; $z", "read z <<< rm; $z $t",
    f"alias rr='rm {TARGET}'; shopt -s expand_aliases\nrr", "printf -v z %s rm; $z $t", "mapfile -t z <<< rm; ${z[0]} $t",
]
# fmt: on


def line(choose: random.Random, depth: int = 0) -> str:
    simple = f"{choose.choice(NAMES)} {choose.choice(TARGETS)}"
    kind = choose.random()
    if depth == 3 or kind < 0.3:
        return simple
    if kind < 0.5:
        return choose.choice(WHOLE)
    return choose.choice(SHAPES).format(line(choose, depth + 1)).replace("FN", f"f{choose.randrange(10**6)}")


@pytest.fixture
def run(tmp_path: Path) -> Callable[[str], bool]:
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("no bash")
    tools, log = tmp_path / "bin", tmp_path / "log"
    tools.mkdir()
    (tools / "rm").write_text(f'#!{bash}\necho "$@" >> {log}\n')
    (tools / "rm").chmod(0o755)
    for name in TOOLS:
        found = shutil.which(name)
        if found:
            (tools / name).symlink_to(found)

    def ran(text: str) -> bool:
        log.unlink(missing_ok=True)
        environment = {"PATH": str(tools), "HOME": "/root"}
        subprocess.run([bash, "-c", text], cwd=tmp_path, env=environment, capture_output=True, timeout=20, check=False)
        return log.exists() and "victim/x" in log.read_text()

    return ran


@pytest.mark.parametrize("seed", range(4))
def test_what_bash_runs_is_claimed_or_opaque(seed: int, run: Callable[[str], bool], tmp_path: Path) -> None:
    choose = random.Random(seed)
    place = Place(argument="command", root=str(tmp_path), home="/root")
    count = 0
    for _ in range(int(os.environ.get("INTERLOCK_DIFFERENTIAL", "60"))):
        text = PRELUDE + "\n".join(line(choose) for _ in range(choose.choice([1, 1, 2])))
        claims = analyse(text, place)
        claimed = any(one.access == "delete" and TARGET.startswith(one.name.rstrip("/")) for one in claims.touched)
        if run(text):
            count += 1
            assert claimed or claims.opaque_codes, text
    assert count
