"""A place to analyse in, with every analyser of this package but the shell's, which here only takes down its texts."""

from __future__ import annotations

from interlock.analyst import json_, mail, paths, python, sql, text, urls, windows
from interlock.analyst.claims import Analyser, Claims, Place


def place(handed: list[str] | None = None, *, dialect: str = "", scripts: dict[str, str] | None = None) -> Place:
    """``handed`` collects what would be read as a shell's line."""

    def shell(line: str, where: Place) -> Claims:
        if handed is not None:
            handed.append(line)
        return Claims(where)

    analysers: dict[str, Analyser] = {
        "shell": shell, "sql": sql.analyse, "python": python.analyse, "powershell": windows.analyse,
        "cmd": windows.analyse, "url": urls.analyse, "path": paths.analyse, "email": mail.analyse, "text": text.analyse,
        "json": json_.analyse,
    }  # fmt: skip
    return Place(
        argument="x", root="/proj/site", home="/home/ada", dialect=dialect, scripts=scripts or {}, analysers=analysers
    )


def codes(claims: Claims) -> set[str]:
    """Opacities and signals."""
    return {*claims.opaque_codes, *claims.signals}


def touches(claims: Claims) -> set[str]:
    """``read file:/x`` for each resource."""
    return {f"{one.access.value} {one.key}" for one in claims.touched}
