"""What a shell remembers between two commands: variables, functions, aliases, folders, and files it has written.

Where two ways meet (``join``), what differs is not known any more; a folder may then be one of several.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from tree_sitter import Node

from interlock.analyst.shell.words import NONE, UNKNOWN, Data, unknown

MAX_FOLDERS = 4
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_NUMBERS = frozenset(("?", "$", "!", "RANDOM", "SECONDS", "UID", "EUID", "PPID", "BASHPID", "LINENO", "EPOCHSECONDS"))
_RUNNER_FILES = frozenset(("GITHUB_OUTPUT", "GITHUB_ENV", "GITHUB_PATH", "GITHUB_STEP_SUMMARY", "GITHUB_STATE"))
_OF_THE_SYSTEM = frozenset(("HOSTNAME", "HOSTTYPE", "OSTYPE", "MACHTYPE", "GROUPS"))


def _variables() -> dict[str, Data]:
    return {}


@dataclass(slots=True)
class State:
    """Mutable; ``fork`` before a way that may not be taken."""

    folders: tuple[str, ...]
    home: str
    variables: dict[str, Data] = field(default_factory=_variables)
    arrays: dict[str, tuple[Data, ...]] = field(default_factory=dict[str, tuple[Data, ...]])
    functions: dict[str, Node] = field(default_factory=dict[str, Node])
    aliases: dict[str, str] = field(default_factory=dict[str, str])
    files: dict[str, Data] = field(default_factory=_variables)
    descriptors: dict[str, Data] = field(default_factory=_variables)
    parameters: tuple[Data, ...] | None = ()
    links: set[str] = field(default_factory=set[str])  # Names that a script made lead elsewhere: in every fork.
    ended: bool = False

    def fork(self) -> State:
        """A copy that changes alone."""
        return replace(
            self,
            variables=dict(self.variables),
            arrays=dict(self.arrays),
            functions=dict(self.functions),
            aliases=dict(self.aliases),
            files=dict(self.files),
            descriptors=dict(self.descriptors),
        )

    def take(self, other: State) -> None:
        """Become ``other``."""
        for name in State.__slots__:
            setattr(self, name, getattr(other, name))

    def join(self, other: State) -> None:
        """Either this or ``other`` holds from here on; a way that has ended does not count."""
        if other.ended:
            return
        if self.ended:
            self.take(other)
            return
        _join(self.variables, other.variables)
        for name in [name for name, items in self.arrays.items() if other.arrays.get(name) != items]:
            del self.arrays[name]
            self.variables[name] = unknown()
        self.functions = {**other.functions, **self.functions}
        self.aliases = {**other.aliases, **self.aliases}
        self.files = {**other.files, **self.files}
        self.descriptors = {**other.descriptors, **self.descriptors}
        self.folders = tuple(dict.fromkeys(self.folders + other.folders))
        if len(self.folders) > MAX_FOLDERS:
            self.folders = ()

    def value(self, name: str) -> Data | None:
        """The variable's value; ``None`` where nothing is known of it, not even that it is unset."""
        found = self.variables.get(name)
        if found is not None:
            return found
        if name in self.arrays:
            return self.arrays[name][0] if self.arrays[name] else Data()
        return self._parameter(name) if name.isdigit() or name in "@*#0-" else self._wellknown(name)

    def forget(self, name: str) -> None:
        """From here on the variable may hold anything."""
        self.arrays.pop(name, None)
        self.variables[name] = unknown()

    def _parameter(self, name: str) -> Data:
        if name == "0":
            return Data("bash")
        if name == "-" or self.parameters is None:
            return unknown()
        if name == "#":
            return Data(str(len(self.parameters)))
        if name in "@*":
            tags = NONE.union(*(one.tags for one in self.parameters))
            return Data(" ".join(one.text for one in self.parameters), tags)
        index = int(name) - 1 if len(name) < 4 else MAX_FOLDERS**6
        return self.parameters[index] if index < len(self.parameters) else Data()

    def _wellknown(self, name: str) -> Data | None:
        if name in _NUMBERS:
            return unknown()
        if name in _OF_THE_SYSTEM:
            return unknown(frozenset(("system",)))
        if name == "PWD":
            return Data(self.folders[0]) if len(self.folders) == 1 else unknown()
        known = {
            "HOME": self.home,
            "IFS": " \t\n",
            "TMPDIR": "/tmp",
            "SHELL": "/bin/bash",
            "BASH": "/bin/bash",
            "PATH": SYSTEM_PATH,
            "USER": self.home.rsplit("/", 1)[-1],
            "LOGNAME": self.home.rsplit("/", 1)[-1],
            "HISTFILE": f"{self.home}/.bash_history",
            "XDG_CONFIG_HOME": f"{self.home}/.config",
            "XDG_CACHE_HOME": f"{self.home}/.cache",
            "XDG_DATA_HOME": f"{self.home}/.local/share",
        }
        if name in _RUNNER_FILES:
            return Data(f"/tmp/_runner_file_commands/{name.lower()}")
        value = known.get(name)
        return Data(value) if value else None


def _join(mine: dict[str, Data], theirs: dict[str, Data]) -> None:
    for name in mine.keys() | theirs.keys():
        left, right = mine.get(name), theirs.get(name)
        if left != right:
            tags = (left.tags if left else NONE) | (right.tags if right else NONE)
            mine[name] = Data(UNKNOWN, tags)
