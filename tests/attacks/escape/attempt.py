"""One escape attempt: code that runs inside the jail, and how it is shown to work without one.

The code is the body of a function.  It returns something true when it got out, and otherwise returns something
false or raises.  It sees ``T``, the targets that stand outside, ``call`` (a raw system call by name that raises
``OSError``) and the usual modules.  ``control`` says who can do it unconfined: ``any`` user, ``root`` alone, or
why it cannot be shown here.
"""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

ANY = "any"
ROOT = "root"


@dataclass(frozen=True, kw_only=True)
class Attempt:
    code: str
    control: str

    @property
    def source(self) -> str:
        body = textwrap.dedent(self.code).strip()
        return body if "\n" in body or body.startswith("return") else f"return {body}"


def any_user(code: str) -> Attempt:
    return Attempt(code=code, control=ANY)


def root_only(code: str) -> Attempt:
    return Attempt(code=code, control=ROOT)


def not_shown(code: str, *, because: str) -> Attempt:
    return Attempt(code=code, control=because)


PRELUDE = """
import ctypes, errno, fcntl, json, mmap, os, resource, signal, socket, stat, struct, sys, time
from interlock.harness.sandbox.raw import call
T = json.loads(sys.argv[1])
AT = -100
X86 = os.uname().machine == "x86_64"
libc = ctypes.CDLL(None, use_errno=True)

def buffer(data, size=0):
    return ctypes.addressof(KEPT.setdefault(len(KEPT), ctypes.create_string_buffer(data, size or len(data))))

KEPT = {}

def iovec(address, size):
    return buffer(struct.pack("QQ", address, size))

def peek_by_vm(pid):
    into = ctypes.create_string_buffer(64)
    call("process_vm_readv", pid, iovec(ctypes.addressof(into), 16), 1, iovec(T["address"], 16), 1, 0)
    return into.raw[:16] == T["word"].encode()[:16]

def connects(family, address, kind=socket.SOCK_STREAM):
    with socket.socket(family, kind) as end:
        end.settimeout(2)
        end.connect(address)
        return True

def ends_well(pid):
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0

def alarm(*_):
    raise TimeoutError
"""

OWN_CHANNEL = """
PAIR = socket.socketpair()
for number in (3, 9):
    os.dup2(PAIR[0].fileno(), number)
"""

RUNNER = '''
def attempt_all(attempts, forking):
    outcomes = {}
    signal.signal(signal.SIGALRM, alarm)
    for name, function in attempts.items():
        outcomes[name] = apart(function) if forking else attempt(function)
    return outcomes

def attempt(function):
    signal.alarm(5)
    try:
        return "escaped" if function() else "refused: nothing"
    except BaseException as error:
        return f"refused: {type(error).__name__} {error}"
    finally:
        signal.alarm(0)

def apart(function):
    """Try it in a process and in namespaces of its own, where that is possible, so that nothing lasts."""
    told, tell = os.pipe()
    with open(T["disposable"], "w") as disposable:
        disposable.write("data")
    if (pid := os.fork()) == 0:
        try:
            call("unshare", 0x0C020000)
            call("mount", b"none", b"/", b"none", 0x44000, 0)
        except OSError:
            pass
        os.write(tell, attempt(function).encode()[:2000])
        os._exit(0)
    os.close(tell)
    with os.fdopen(told, "rb") as answer:
        text = answer.read().decode()
    os.waitpid(pid, 0)
    return text or "refused: died"
'''


def script(attempts: dict[str, Attempt], *, forking: bool) -> str:
    """The Python source that tries ``attempts`` and prints their outcomes as one line of JSON."""
    parts = [PRELUDE, OWN_CHANNEL if forking else "", RUNNER, "ATTEMPTS = {}"]
    for at, (name, attempt) in enumerate(attempts.items()):
        body = textwrap.indent(attempt.source, "    ")
        parts.append(f"def attempt_{at}():\n{body}\nATTEMPTS[{name!r}] = attempt_{at}")
    parts.append(f"print('OUTCOMES', json.dumps(attempt_all(ATTEMPTS, {forking!r})), flush=True)")
    return "\n\n".join(parts) + "\n"
