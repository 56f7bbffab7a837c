"""Pattern facts and globs as formulas: what ``patterns.py`` and ``globs.py`` match, said once more for all inputs."""

from __future__ import annotations

import re

from interlock.decide.proof.formula import Flag, Formula, Matches, OneOf, Reaches, both, either, negate
from interlock.decide.proof.languages import Language, Part, Piece, exactly

IS_FILE = Matches("kind", exactly("file"))
KNOWN_FILE = both(IS_FILE, negate(Flag("open")))
_FOLDER = either(Flag("recursive"), OneOf("access", frozenset({"write", "delete"})))
_SITE_GLOB = re.compile(r"(\*\*/|\*\*|\*|\?)")


def fact(text: str, *, home: str, root: str) -> Formula:
    """The formula of one string that a policy looks for in ``context.matched``."""
    touches, bare = text.startswith("touches "), text.removeprefix("touches ")
    kind, _, glob = bare.partition(" ")
    if kind == "signals":
        return Reaches("signals", tuple(starred(one) for one in glob.split(" ")), every=False)
    if kind == "destinations":
        languages = tuple(starred(one, folded=True) for one in glob.split(" "))
        return Reaches("destinations", languages, every=not touches)
    folder, language = path_glob(glob, home=home, root=root)
    found: Formula = Matches("resource", language)
    if touches and folder:
        found = either(found, both(_FOLDER, above(folder)))
    return both(KNOWN_FILE, found)


def path_glob(glob: str, *, home: str, root: str) -> tuple[str, Language]:
    """The fixed folder of a rule's path glob, and its language."""
    for sign, base in (("~/", home), ("./", root)):
        if glob.startswith(sign):
            glob = f"{base.rstrip('/')}/{glob[2:]}"
    segments = (f"/{glob}" if glob.startswith("**") else glob).split("/")[1:]
    parts: list[Part] = []
    for number, segment in enumerate(segments):
        if segment == "**":
            parts.append(Piece.BELOW if number == len(segments) - 1 else Piece.FOLDERS)
        else:
            parts += ["/", *([Piece.SEGMENT] if segment == "*" else _stars(segment, Piece.WITHIN))]
    wild = next((number for number, segment in enumerate(segments) if "*" in segment), len(segments))
    return "".join(f"/{segment}" for segment in segments[:wild]), Language(tuple(parts))


def starred(glob: str, *, folded: bool = False) -> Language:
    """A glob whose star is any text."""
    return Language(tuple(_stars(glob, Piece.ANY)), folded)


def site_glob(glob: str, base: str) -> Language:
    """A glob of ``interlock.toml``, as ``globs.matches`` reads it."""
    if glob.startswith("~/"):
        glob = f"{base.rstrip('/')}/{glob[2:]}"
    elif not glob.startswith("/"):
        glob = f"/{glob}" if glob.startswith("**") else f"{base.rstrip('/')}/{glob}"
    pieces = {"**/": Piece.PREFIXES, "**": Piece.ANY, "*": Piece.WITHIN, "?": Piece.ONE}
    parts = [pieces.get(text, text) for text in _SITE_GLOB.split(glob.removesuffix("/**"))]
    return Language((*parts, *((Piece.BELOW,) if glob.endswith("/**") else ())))


def below(folder: str) -> Matches:
    """The resource is the folder, or lies below it."""
    return Matches("resource", Language((folder.rstrip("/"), Piece.BELOW)))


def above(folder: str) -> Formula:
    """The resource is the folder, or one of those that hold it."""
    parts = folder.split("/")[1:]
    names = ["/".join(["", *parts[:count]]) or "/" for count in range(len(parts) + 1)]
    return either(*(Matches("resource", exactly(name)) for name in dict.fromkeys(names)))


def _stars(glob: str, star: Piece) -> list[Part]:
    first, *rest = re.split(r"\*+", glob)
    return [first, *(part for text in rest for part in (star, text))]
