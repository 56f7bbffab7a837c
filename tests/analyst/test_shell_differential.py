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
TOOLS = ("sh", "bash", "cat", "tr", "base64", "env", "xargs", "rev", "awk", "timeout", "nohup", "sed", "perl")
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
LINES = [
    "# x \\\nrm /victim/x", "\u000b# $(rm /victim/x)", "ls\f# $(rm /victim/x)", "echo \\ # $(rm /victim/x)",
    "\\ #foo $(rm /victim/x)", "echo \\\t# $(rm /victim/x)", "echo a\\ #b $(rm /victim/x)", "\r# $(rm /victim/x)",
    "echo $#$(rm /victim/x)", "echo ${#x}$(rm /victim/x)", "x=a;#c\nrm /victim/x", "(#c\nrm /victim/x)",
    'echo "a" \'#\' $(rm /victim/x)', 'echo a"#" $(rm /victim/x)', "declare -n r=c; c=rm; $r /victim/x",
    "declare -l x=RM; $x /victim/x", "typeset -l x; x=RM; $x /victim/x",
    "command_not_found_handle() { rm /victim/x; }; foo", 'perl -lne "1" /dev/null', 'bash -Cc "rm /victim/x"',
    'echo "!rm /victim/x" | dc', "f() { rm /victim/x; }; export -f f; bash -c f", 'trap "rm /victim/x" DEBUG; :',
    "local_() { :; }; rm /victim/x", "a=(x rm); ${a[1]} /victim/x", "a[3]=rm; ${a[3]} /victim/x",
    "declare -A m=([k]=rm); ${m[k]} /victim/x", "set -- a b; shift; set -- rm; $1 /victim/x",
    'x="rm /victim/x"; bash <<< $x', 'echo -e "rm\\x20/victim/x" | bash', 'printf "%b" "rm\\040/victim/x" | sh',
    'cat <<< "rm /victim/x" | bash', "case rm in r*) x=rm;; esac; $x /victim/x", "x=rm; unset x; ${x-rm} /victim/x",
    "while :; do rm /victim/x; break; done", "for ((i=0;i<1;i++)); do rm /victim/x; done",
    "if [[ 1 ]] then rm /victim/x; fi", "[ 1 ] && { rm /victim/x; }", "time -p rm /victim/x", "! ! rm /victim/x",
    'rm() { command rm "$@"; }; rm /victim/x', "echo /victim/x | while read f; do rm $f; done",
    'echo "rm /victim/x" > a.sh; chmod +x a.sh; ./a.sh', 'bash -c "bash -c \'rm /victim/x\'"', "env -u A rm /victim/x",
    "exec -a foo rm /victim/x", "(exec rm /victim/x)", 'eval "r""m /victim/x"', '$(echo "rm /victim/x")',
    '"$(echo rm)" /victim/x', '`echo "rm /victim/x"`', ">x <x rm /victim/x", "{ rm /victim/x; } 2>&1 | cat",
    "rm /victim/x&", "rm /victim/x|cat", "rm</dev/null /victim/x", "rm>/dev/null /victim/x", "rm 2>&1 /victim/x",
    "x=rm y=$x; $y /victim/x", 'read -r a b <<< "rm /victim/x"; $a $b', 'IFS=: read a b <<< "rm:/victim/x"; $a $b',
    'mapfile -t l < <(echo "rm /victim/x"); ${l[0]}', "source <(echo rm /victim/x)", '. /dev/fd/3 3<<< "rm /victim/x"',
    'bash /dev/fd/3 3<<< "rm /victim/x"', 'bash 3<<< "rm /victim/x" <&3', 'exec 3<<< "rm /victim/x"; bash <&3',
    "echo rm /victim/x | (cat) | sh", 'cat << "E F" | sh\nrm /victim/x\nE F', "cat <<\\E | sh\nrm /victim/x\nE",
    "cat <<-E | sh\n\trm /victim/x\n\tE", 'let "x=$(rm /victim/x)1"', "((x=$(rm /victim/x)1))",
    "x=$((`rm /victim/x`1))", "echo ${x:-`rm /victim/x`}", "echo ${x:=$(rm /victim/x)}",
    'echo "${x:+a}${y:-$(rm "/victim/x")}"', "echo ${x/a/$(rm /victim/x)}", "x=abc; echo ${x#$(rm /victim/x)}",
    'x=abc; echo "${x%"$(rm /victim/x)"}"', "a=(1); echo ${a[$(rm /victim/x)0]}", "echo {a,$(rm /victim/x)}",
    "echo a{b,`rm /victim/x`}c", "select q in a; do rm /victim/x; break; done <<< 1",
    "until rm /victim/x; do break; done", "coproc { rm /victim/x; }; wait", "coproc N { rm /victim/x; }; wait",
    "function f() { rm /victim/x; }; f", "f() ( rm /victim/x ); f", "f() if true; then rm /victim/x; fi; f",
    "f () for x in 1; do rm /victim/x; done; f", "if false; then :; elif rm /victim/x; then :; fi",
    "[[ -n a && $(rm /victim/x) ]]", "[[ a =~ $(rm /victim/x) ]]", 'test -n "$(rm /victim/x)"',
    "case $(rm /victim/x) in *) ;; esac", "case a in $(rm /victim/x)) ;; esac", 'echo $"a$(rm /victim/x)"',
    'echo "\\$(rm /victim/x)"', "echo '$(rm /victim/x)'", 'echo "`echo \\`rm /victim/x\\``"',
    "echo `echo \\`rm /victim/x\\``", 'x=rm; "$x" /victim/x', 'x="rm "; $x/victim/x', "x=rm\\ /victim/x; $x",
    'x=(rm /victim/x); "${x[@]}"', "x=(rm /victim/x); ${x[*]}", 'x=("rm"); x+=("/victim/x"); "${x[@]}"',
    "x=r; x+=m; $x /victim/x", "printf -v x rm; $x /victim/x", "hash -p /usr/bin/env foo; foo rm /victim/x",
    "PATH=$PATH; rm /victim/x", "enable -n echo; rm /victim/x", "set -e; false || rm /victim/x", "set -f; rm /victim/x",
    "shopt -s extglob; rm /victim/@(x)", "echo a && echo b || echo c; rm /victim/x", "true; ( : ; { rm /victim/x; } )",
    "x=$(cat <<E\nrm /victim/x\nE\n); $x", 'eval "$(cat <<E\nrm /victim/x\nE\n)"',
    'echo "rm /victim/x" | tee /dev/null | bash', 'echo "rm /victim/x" | cat - | bash -s', 'bash -s <<< "rm /victim/x"',
    'bash -c "\\$0 /victim/x" rm', 'bash -c \'"$@"\' _ rm /victim/x', "xargs -I{} {} /victim/x <<< rm",
    'awk "BEGIN{system(\\"rm /victim/x\\")}"', 'awk \'BEGIN{c="rm"; system(c " /victim/x")}\'',
    'awk \'BEGIN{"rm /victim/x"|getline}\'', 'awk \'BEGIN{print "x" | "rm /victim/x"}\'',
    'sed -n "1e rm /victim/x" /etc/passwd', 'sed "1s/.*/rm \\/victim\\/x/e" /etc/passwd',
    'perl -e \'system("rm /victim/x")\'', 'perl -le \'exec "rm /victim/x"\'',
    'perl -0777 -ne \'system("rm /victim/x")\' /etc/passwd', "env rm /victim/x #c", "rm /victim/x #c\n",
    "rm\t/victim/x", "  rm   /victim/x  ", "rm \\\n/victim/x", "rm /vic\\\ntim/x", '"rm" \'/victim/x\'',
    "rm -- /victim/x",
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


def test_each_of_these_lines_is_claimed_or_opaque(run: Callable[[str], bool], tmp_path: Path) -> None:
    place = Place(argument="command", root=str(tmp_path), home="/root")
    missed: list[str] = []
    for text in LINES:
        claims = analyse(text, place)
        claimed = any(one.access == "delete" and TARGET.startswith(one.name.rstrip("/")) for one in claims.touched)
        if not claimed and not claims.opaque_codes and run(text):
            missed.append(text)
    assert not missed
