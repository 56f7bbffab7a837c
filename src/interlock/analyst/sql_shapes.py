"""Shapes of SQL that say more than its words: conditions that always hold, unions that probe, comments that cut."""

from __future__ import annotations

import re

from sqlglot import exp

from interlock.analyst.claims import Claims

_EXECUTABLE_COMMENT = re.compile(r"/\*!|/\*M!")
_SPLIT_WORD = re.compile(r"[a-z]/\*[^*]{0,40}\*/[a-z]", re.IGNORECASE)
_TAIL = 64
_CUT = re.compile(r"['\")\s;]\s*(?:--|#)[\s+-]*\Z")
_COMPARED = (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE)


def of_text(text: str, words: str, claims: Claims) -> None:
    """What stands in comments, and what cuts a statement short."""
    if _EXECUTABLE_COMMENT.search(text) is not None:
        claims.opaque("sql.executable_comment")
    if _SPLIT_WORD.search(text) is not None or _CUT.search(text[-_TAIL:]) is not None:
        claims.signal("sql.injection")
    if "\0" in text or words.count("'") % 2:
        claims.signal("sql.unbalanced")


def unbounded(node: exp.Expr) -> bool:
    """Whether an update or a deletion has no condition, or one that always holds."""
    where = node.args.get("where")
    if where is None:
        return node.args.get("limit") is None
    return truth(where.this) is True


def injected(statement: exp.Expr) -> bool:
    """Whether a condition was widened to hold always, or a union was added to probe for columns."""
    for node in statement.find_all(exp.Or, exp.Union, exp.Xor):
        if isinstance(node, exp.Union):
            if _probing(node.this) or _probing(node.expression):
                return True
        elif isinstance(node, exp.Or) and truth(node) is True:
            return True
    return False


def truth(node: exp.Expr | None) -> bool | None:
    """What a condition amounts to whatever the rows hold, or ``None`` where it depends on them."""
    match node:
        case exp.Paren():
            return truth(node.this)
        case exp.Not():
            inner = truth(node.this)
            return None if inner is None else not inner
        case exp.Or():
            sides = (truth(node.left), truth(node.right))
            return True if True in sides else None if None in sides else False
        case exp.And():
            sides = (truth(node.left), truth(node.right))
            return False if False in sides else None if None in sides else True
        case exp.Boolean():
            return bool(node.this)
        case exp.Literal():
            return None if node.is_string else str(node.this).strip("0.") != ""
        case exp.EQ() | exp.NEQ() | exp.GT() | exp.GTE() | exp.LT() | exp.LTE():
            return _compared(node)
        case exp.Like():
            return True if node.expression.name == "%" or node.this == node.expression else None
        case _:
            return None


def common(table: exp.Table) -> bool:
    """Whether the name is that of a common table expression in whose scope it stands."""
    if table.args.get("db") is not None:
        return False
    name = table.name.lower()
    inside: exp.Expr = table
    within: exp.CTE | None = None
    parent = table.parent
    while parent is not None:
        if isinstance(inside, exp.CTE) and isinstance(parent, exp.With):
            within = inside
        clause = parent.args.get("with_")
        if isinstance(clause, exp.With) and _defines(clause, name, within if inside is clause else None):
            return True
        inside, parent = parent, parent.parent
    return False


def _defines(clause: exp.With, name: str, within: exp.CTE | None) -> bool:
    for one in clause.expressions:
        if one is within and not clause.args.get("recursive"):
            return False  # A definition sees those before it, and itself only where it is recursive.
        if one.alias.lower() == name:
            return True
        if one is within:
            return False
    return False


def _compared(node: exp.Expr) -> bool | None:
    left, right = node.args["this"], node.args["expression"]
    if left == right and isinstance(left, exp.Column | exp.Literal):
        return isinstance(node, exp.EQ | exp.GTE | exp.LTE)
    if not (isinstance(left, exp.Literal) and isinstance(right, exp.Literal)) or left.is_string or right.is_string:
        return None
    try:
        first, second = float(left.this), float(right.this)
    except ValueError:
        return None
    outcomes = (first == second, first != second, first > second, first >= second, first < second, first <= second)
    return next(outcome for kind, outcome in zip(_COMPARED, outcomes, strict=True) if isinstance(node, kind))


def _probing(branch: exp.Expr | None) -> bool:
    """Whether a branch of a union selects nothing but two or more nulls or numbers, or an engine's own facts."""
    if not isinstance(branch, exp.Select):
        return False
    shown = [one.this if isinstance(one, exp.Alias) else one for one in branch.expressions]
    blank = [isinstance(one, exp.Null) or (isinstance(one, exp.Literal) and not one.is_string) for one in shown]
    return (len(shown) > 1 and all(blank)) or (
        sum(blank) > 0 and any(isinstance(one, exp.SessionParameter) for one in shown)
    )
