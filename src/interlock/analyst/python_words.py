"""What Python's own modules and functions do, by qualified name.

A module that stands in none of these tables may do anything; so may a function of an impure one.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from interlock.analyst.tables import words
from interlock.artifact.action import Effect

PURE_MODULES: Final = words("""
    __future__ abc array ast base64 binascii bisect calendar cmath collections colorsys contextlib copy csv
    dataclasses datetime decimal difflib enum errno fnmatch fractions functools graphlib hashlib heapq hmac html
    html.parser io ipaddress itertools json keyword locale math numbers operator pprint queue random re secrets
    statistics string stringprep struct textwrap time timeit token tokenize traceback types typing
    typing_extensions unicodedata uuid warnings weakref xml.etree.ElementTree zlib zoneinfo collections.abc
    email.message email.mime.text email.utils email.mime.multipart email.mime.base email.encoders urllib.parse
    unittest doctest string.templatelib argparse getpass gettext bz2 lzma gzip.compress html.entities
    concurrent.futures threading asyncio configparser optparse
    """)
# Their few functions that reach out; all others of a pure module are free.
IMPURE_OF_PURE: Final = words("""
    io.open io.open_code io.FileIO json.__builtins__ time.sleep asyncio.create_subprocess_shell
    threading.settrace asyncio.create_subprocess_exec asyncio.open_connection asyncio.start_server
    asyncio.open_unix_connection operator.attrgetter operator.methodcaller types.FunctionType types.CodeType
    functools.reduce copy.copyreg typing.get_type_hints typing.ForwardRef uuid.os uuid.getnode random._os
    traceback.sys ast.literal timeit.timeit timeit.repeat timeit.Timer unittest.main doctest.testmod
    configparser.ConfigParser xml.etree.ElementTree.parse types.ModuleType collections.abc.sys
    asyncio.subprocess bz2.open lzma.open
    """)
FREE: Final = words("""
    functools.reduce time.sleep typing.get_type_hints typing.ForwardRef unittest.main configparser.ConfigParser
    os.getcwd os.getpid os.getppid os.cpu_count os.sep os.linesep os.path os.name os.pathsep os.path.join
    os.path.basename os.path.dirname os.path.splitext os.path.split os.path.normpath os.path.abspath
    os.path.expanduser os.path.isabs os.path.relpath os.path.commonpath os.fspath os.get_terminal_size
    os.urandom os.uname os.getuid os.geteuid os.getlogin os.fsencode os.fsdecode os.strerror os.devnull
    os.curdir os.pardir os.PathLike os.path.expandvars os.path.sep os.F_OK os.R_OK os.W_OK os.X_OK os.O_RDONLY
    os.O_WRONLY os.O_CREAT os.getgid os.times os.path.normcase os.path.realpath os.path.splitdrive os.error
    os.fsync sys.exit sys.argv sys.version sys.version_info sys.platform sys.stdin sys.stdout sys.stderr
    sys.maxsize sys.byteorder sys.getsizeof sys.getrecursionlimit sys.float_info sys.exc_info sys.intern
    sys.executable sys.setrecursionlimit sys.path sys.hexversion sys.implementation sys.getdefaultencoding
    pathlib.Path pathlib.PurePath pathlib.PosixPath pathlib.PurePosixPath pathlib.Path.cwd pathlib.Path.home
    platform.system platform.machine platform.python_version platform.platform platform.node platform.release
    subprocess.PIPE subprocess.DEVNULL subprocess.STDOUT subprocess.CalledProcessError subprocess.TimeoutExpired
    subprocess.CompletedProcess subprocess.SubprocessError socket.AF_INET socket.AF_INET6 socket.SOCK_STREAM
    socket.SOCK_DGRAM socket.error socket.timeout socket.gaierror socket.SOL_SOCKET socket.SO_REUSEADDR
    socket.socket socket.gethostname socket.IPPROTO_TCP socket.SHUT_RDWR requests.exceptions
    requests.exceptions.RequestException requests.RequestException requests.Response urllib.error
    urllib.error.URLError urllib.error.HTTPError urllib.request.Request requests.Session requests.session
    httpx.Client httpx.AsyncClient requests.auth requests.auth.HTTPBasicAuth requests.adapters logging.getLogger
    logging.info logging.debug logging.warning logging.error logging.exception logging.critical logging.INFO
    logging.DEBUG logging.WARNING logging.ERROR logging.CRITICAL logging.Formatter logging.StreamHandler
    logging.Logger logging.log logging.NullHandler logging.NOTSET signal.SIGINT signal.SIGTERM signal.signal
    signal.SIGKILL signal.alarm signal.SIGALRM inspect.signature tempfile.gettempdir shutil.which
    shutil.get_terminal_size shutil.Error shutil.disk_usage glob.escape sqlite3.Error sqlite3.Row
    sqlite3.IntegrityError sqlite3.OperationalError sqlite3.Connection sqlite3.Cursor pickle.PickleError
    gzip.compress gzip.decompress zipfile.BadZipFile pickle.dumps yaml.safe_load yaml.safe_dump yaml.dump
    yaml.YAMLError importlib.metadata.version pytest.mark pytest.raises pytest.fixture pytest.approx
    pytest.mark.parametrize
    """)
IMPURE_MODULES: Final = words("""
    os os.path sys pathlib subprocess socket shutil glob tempfile platform urllib urllib.request urllib.error
    http http.client http.cookiejar ftplib smtplib poplib imaplib telnetlib xmlrpc.client requests httpx logging
    signal inspect pickle sqlite3 gzip zipfile tarfile yaml importlib importlib.metadata pytest posixpath ssl
    select multiprocessing fileinput linecache filecmp shelve dbm webbrowser pty
    """)
NATIVE: Final = frozenset(
    {
        "ctypes",
        "cffi",
        "_ctypes",
        "mmap",
        "fcntl",
        "resource",
        "posix",
        "nt",
        "_posixsubprocess",
        "msvcrt",
        "winreg",
        "_winapi",
    }
)
DYNAMIC: Final = frozenset(
    {
        "eval",
        "exec",
        "compile",
        "__import__",
        "builtins.eval",
        "builtins.exec",
        "builtins.compile",
        "builtins.__import__",
        "importlib.import_module",
        "runpy.run_path",
        "runpy.run_module",
        "code.interact",
        "code.InteractiveInterpreter",
        "importlib.__import__",
    }
)
ATTRIBUTES: Final = frozenset({"getattr", "setattr", "delattr", "builtins.getattr", "builtins.setattr"})
ADDRESSES: Final = frozenset({"socket.create_connection", "socket.create_server"})
ENVIRONMENT: Final = frozenset({"os.getenv", "os.environ.get"})
DESERIALISING: Final = frozenset(
    {
        "pickle.load",
        "pickle.loads",
        "pickle.Unpickler",
        "cPickle.loads",
        "marshal.load",
        "marshal.loads",
        "dill.loads",
        "dill.load",
        "shelve.open",
        "yaml.load",
        "yaml.unsafe_load",
        "yaml.full_load",
        "joblib.load",
        "torch.load",
        "jsonpickle.decode",
        "pandas.read_pickle",
        "numpy.load",
        "yaml.load_all",
    }
)
SHELLS: Final = frozenset(
    {
        "os.system",
        "os.popen",
        "subprocess.getoutput",
        "subprocess.getstatusoutput",
        "asyncio.create_subprocess_shell",
        "pty.spawn",
        "commands.getoutput",
    }
)
PLAIN_OPTIONS: Final = words(
    "args shell check capture_output text stdout stderr timeout universal_newlines encoding errors bufsize close_fds"
)
RUNNERS: Final = frozenset(
    {
        "subprocess.run",
        "subprocess.call",
        "subprocess.check_call",
        "subprocess.check_output",
        "subprocess.Popen",
    }
)
REPLACERS: Final = frozenset({"asyncio.create_subprocess_exec"}) | frozenset(
    f"os.{name}"
    for name in words("""
    execl execle execlp execlpe execv execve execvp execvpe spawnl spawnle spawnlp spawnlpe spawnv spawnve
    spawnvp spawnvpe posix_spawn posix_spawnp startfile
    """)
)
PROCESS: Final = frozenset(
    {
        "os.fork",
        "os.forkpty",
        "os.kill",
        "os.killpg",
        "os.setuid",
        "os.setgid",
        "os.dup2",
        "os.nice",
        "os.chroot",
        "os.umask",
        "os.setsid",
        "os.abort",
        "os._exit",
        "multiprocessing.Process",
        "multiprocessing.Pool",
    }
)
CALLERS: Final = frozenset(
    {
        "requests.get",
        "requests.post",
        "requests.put",
        "requests.patch",
        "requests.delete",
        "requests.head",
        "requests.options",
        "requests.request",
        "httpx.get",
        "httpx.post",
        "httpx.put",
        "httpx.patch",
        "httpx.delete",
        "httpx.head",
        "httpx.request",
        "httpx.stream",
        "urllib.request.urlopen",
        "urllib.request.urlretrieve",
        "urllib2.urlopen",
        "urllib.urlopen",
        "webbrowser.open",
        "xmlrpc.client.ServerProxy",
        "requests.Request",
    }
)
HOSTS: Final = {
    "http.client.HTTPConnection": 80,
    "http.client.HTTPSConnection": 443,
    "ftplib.FTP": 21,
    "ftplib.FTP_TLS": 21,
    "smtplib.SMTP": 25,
    "smtplib.SMTP_SSL": 465,
    "poplib.POP3": 110,
    "poplib.POP3_SSL": 995,
    "imaplib.IMAP4": 143,
    "imaplib.IMAP4_SSL": 993,
    "telnetlib.Telnet": 23,
    "asyncio.open_connection": 0,
}


class Touch(NamedTuple):
    """How a function touches the path that is its argument number ``position``, or named ``keyword``."""

    access: Effect
    position: int = 0
    keyword: str = "path"
    recursive: bool = False


_R, _W, _D = Effect.READ, Effect.WRITE, Effect.DELETE
_COPY = (Touch(_R, 0, "src"), Touch(_W, 1, "dst"))
_MOVE = (Touch(_D, 0, "src"), Touch(_W, 1, "dst"))
TOUCHES: Final[dict[str, tuple[Touch, ...]]] = {
    **dict.fromkeys(
        words("""
    os.listdir os.scandir os.stat os.lstat os.access os.readlink os.path.exists os.path.isfile os.path.isdir
    os.path.getsize os.path.islink os.path.ismount os.path.getmtime os.path.getctime os.path.lexists
    os.path.samefile linecache.getline fileinput.input os.statvfs filecmp.cmp sqlite3.read tarfile.is_tarfile
    xml.etree.ElementTree.parse zipfile.is_zipfile
    """),
        (Touch(_R),),
    ),
    "os.walk": (Touch(_R, 0, "top", recursive=True),),
    **dict.fromkeys(
        words("os.mkdir os.makedirs os.chmod os.chown os.truncate os.utime os.mkfifo os.mknod os.lchown os.setxattr"),
        (Touch(_W),),
    ),
    **dict.fromkeys(words("os.remove os.unlink os.rmdir os.removedirs"), (Touch(_D),)),
    "shutil.rmtree": (Touch(_D, recursive=True),),
    **dict.fromkeys(words("os.rename os.renames os.replace shutil.move"), _MOVE),
    **dict.fromkeys(
        words("shutil.copy shutil.copy2 shutil.copyfile shutil.copymode shutil.copystat os.link os.symlink"), _COPY
    ),
    "shutil.copytree": (Touch(_R, 0, "src", recursive=True), Touch(_W, 1, "dst", recursive=True)),
    "shutil.chown": (Touch(_W),),
    "shutil.make_archive": (Touch(_W, 0, "base_name"), Touch(_R, 2, "root_dir", recursive=True)),
    "shutil.unpack_archive": (Touch(_R, 0, "filename"), Touch(_W, 1, "extract_dir", recursive=True)),
    "sqlite3.connect": (Touch(_W, 0, "database"),),
    "zipfile.ZipFile": (Touch(_W, 0, "file"),),
    "tarfile.open": (Touch(_W, 0, "name"),),
    "logging.FileHandler": (Touch(_W, 0, "filename"),),
    **dict.fromkeys(
        words("""
    tempfile.mkdtemp tempfile.mkstemp tempfile.NamedTemporaryFile tempfile.TemporaryDirectory
    tempfile.TemporaryFile
    """),
        (),
    ),
}
GLOBS: Final = frozenset({"glob.glob", "glob.iglob"})
OPENS: Final = frozenset(
    {
        "open",
        "io.open",
        "builtins.open",
        "codecs.open",
        "os.open",
        "os.fdopen",
        "gzip.open",
        "bz2.open",
        "lzma.open",
        "pathlib.Path.open",
        "tokenize.open",
    }
)

# Methods of ``pathlib.Path``, on whatever they are called.
PATH_METHODS: Final = {
    **dict.fromkeys(
        words("read_text read_bytes iterdir stat lstat exists is_file is_dir is_symlink readlink owner"), Touch(_R)
    ),
    **dict.fromkeys(words("glob rglob walk"), Touch(_R, recursive=True)),
    **dict.fromkeys(words("write_text write_bytes touch mkdir chmod symlink_to hardlink_to link_to lchmod"), Touch(_W)),
    **dict.fromkeys(words("unlink rmdir"), Touch(_D)),
}
# Methods with effects on objects whose class is not known; the value is what it is called.
OPAQUE_METHODS: Final = {
    **dict.fromkeys(
        words("""
    system popen spawn exec_command run_command invoke_shell fork_exec create_subprocess subprocess_exec
    subprocess_shell
    """),
        "python.process",
    ),
    **dict.fromkeys(
        words("""
    urlopen urlretrieve sendmail send_message storbinary retrbinary putrequest connect_ex sendto
    create_connection create_datagram_endpoint
    """),
        "python.network",
    ),
    **dict.fromkeys(words("extractall extract"), "python.archive"),
    **dict.fromkeys(words("load_module exec_module find_spec create_module loads_code"), "python.dynamic_code"),
}
HARMLESS_BUILTINS: Final = words("""
    abs aiter all anext any ascii bin bool bytearray bytes callable chr classmethod complex dict dir divmod
    enumerate filter float format frozenset hasattr hash hex id input int isinstance issubclass iter len list
    map max memoryview min next object oct ord pow print property range repr reversed round set slice sorted
    staticmethod str sum super tuple type zip exit quit delattr setattr getattr NotImplemented Ellipsis __name__
    __file__ __doc__
    """)
ALLOWED_DUNDERS: Final = words("""
    __init__ __name__ __file__ __doc__ __version__ __len__ __str__ __repr__ __eq__ __lt__ __hash__ __enter__
    __exit__ __iter__ __next__ __call__ __contains__ __getitem__ __setitem__ __add__ __sub__ __mul__ __all__
    __author__ __post_init__ __aenter__ __aexit__ __await__ __bool__ __main__ __slots__ __annotations__
    __wrapped__ __future__ __le__ __gt__ __ge__ __ne__ __new__
    """)
