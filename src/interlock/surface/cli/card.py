"""The page of one decision, as text: a pure function of a ``Card``.

Guaranteed: its order is what happens, how bad, the effect, why you, provenance, plan, precedent, planner's words,
clock and digest; the first three fit ``SCREEN`` lines of ``width`` cells; nothing that a planner, a document or a
tool wrote begins a line, and every deceiving character of it is spelled out; risk is told in words and marks, which
colour only repeats.  Arguments stand in full up to ``FULL`` characters, then with a count of what is left out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from interlock.artifact.label import CLEAN, Label
from interlock.surface.cli.layout import box, cells, clip, cut, rule, wrap
from interlock.surface.cli.view import ArgumentView, Card, Cause, Effect, StepView
from interlock.surface.cli.visible import visible
from interlock.surface.cli.words import MARKS, UNDO, automatic, count, meaning, moment, span

SCREEN = 23  # One line of a 24-line terminal is left for the cursor.
FULL = 16_384
_SENTENCES = 3
_STRIP = 6
_PLAIN = re.compile(r"[A-Za-z0-9@+][A-Za-z0-9._/@:+~-]*\Z|[/~.][A-Za-z0-9._/@:+~-]*\Z")
_LIMITS = (72, 40, 24, 12)  # How much of a value a sentence shows; all of it stands with the arguments.
_LINES = 3
_GLUE = "\0"  # Holds the ending on one line; no visible text has it.

Paint = Callable[[str, str], str]


def plain(text: str, tone: str) -> str:
    """No colour."""
    del tone
    return text


def draw(card: Card, *, width: int = 80, paint: Paint = plain) -> str:
    """The whole page; ``width`` at least 40 cells."""
    return "\n".join([*first_screen(card, width=width, paint=paint), *_rest(card, width, paint)])


def first_screen(card: Card, *, width: int = 80, paint: Paint = plain) -> list[str]:
    """The first three parts: at most ``SCREEN`` lines."""
    lines = [*headline(card, width=width, paint=paint), "", *_strip(card, width, paint), ""]
    return lines + _effect(card, width, SCREEN - len(lines), paint)


# ---- 1. what happens


def headline(card: Card, *, width: int = 80, paint: Paint = plain) -> list[str]:
    """One sentence of the harness for each step that asks, three at most, of three lines at most."""
    asking = card.asking
    lines = [paint(line, "bold") for step in asking[:_SENTENCES] for line in _headline(step, width)]
    more = len(asking) - _SENTENCES
    return [*lines, f"And {count(more, 'step')} more that ask; see the plan."] if more > 0 else lines


def _headline(step: StepView, width: int) -> list[str]:
    """The sentence and how it ends, with its values cut as far as it takes to fit."""
    for limit in _LIMITS:
        whole = _hang(f"{sentence(step, limit)}. {_ending(step).replace(' ', _GLUE)}", width)
        if len(whole) <= _LINES:
            return [line.replace(_GLUE, " ") for line in whole]
    return [clip(_hang(sentence(step, _LIMITS[-1]), width)[0], width), f"  … {_ending(step)}"]


def sentence(step: StepView, limit: int = _LIMITS[0]) -> str:
    """The manifest's sentence with the step's values, each quoted unless it is a plain name."""
    return "".join(quoted(part, limit) if index % 2 else visible(part) for index, part in enumerate(step.sentence))


def quoted(value: str, limit: int = _LIMITS[0]) -> str:
    """A value inside a sentence: it cannot end its own quotation, and a long one is cut with its length."""
    shown = visible(value).replace("“", "\\u{201C}").replace("”", "\\u{201D}")
    if cells(shown) > limit:
        return f"“{clip(shown, limit)}” ({len(value):,} characters)"
    return shown if _PLAIN.match(shown) else f"“{shown}”"


def _ending(step: StepView) -> str:
    words = UNDO[step.reversibility]
    return "CANNOT BE UNDONE." if words == "cannot be undone" else words[0].upper() + words[1:] + "."


# ---- 2. how bad it could be


def _strip(card: Card, width: int, paint: Paint) -> list[str]:
    risk = card.risk
    first = f"{MARKS[risk.reversibility]} {UNDO[risk.reversibility].upper()}"
    marks = [first]
    if risk.environment:
        marks.append(f"▣ environment {clip(visible(risk.environment), 24)}")
    leaving = [f"⇥ {label} data leaves → {clip(visible(where), 40)}" for label, where in risk.leaving]
    marks += leaving or ["⇥ nothing leaves"]
    touches = [f"◆ {does} {_counted(number, kind)}" for does, kind, number in risk.touches]
    marks += touches or ["◆ touches nothing named"]
    marks.append(f"¤ costs at most {risk.cost:,} minor units" if risk.cost else "¤ costs nothing")
    secrets = [f"⚿ secret {clip(visible(name), 32)} for {span(length)}" for name, length in risk.secrets]
    marks += secrets or ["⚿ no secret"]
    lines = _flow(marks, width)
    if len(lines) > _STRIP:
        lines = [*lines[: _STRIP - 1], f"… {count(len(marks), 'mark')} in all: interlock plan show --json"]
    tone = {"cannot be undone": "danger", "changes nothing": "good"}.get(UNDO[risk.reversibility], "warn")
    return [lines[0].replace(first, paint(first, tone), 1), *lines[1:]]


def _flow(marks: list[str], width: int) -> list[str]:
    lines = [""]
    for mark in (clip(mark, width) for mark in marks):
        joined = f"{lines[-1]}   {mark}" if lines[-1] else mark
        if cells(joined) <= width:
            lines[-1] = joined
        else:
            lines.append(mark)
    return lines


def _counted(number: int, kind: str) -> str:
    return count(number, "file") if kind == "file" else f"{number} × {visible(kind)}"


# ---- 3. the effect


def _effect(card: Card, width: int, room: int, paint: Paint) -> list[str]:
    age = f"probed {span(card.now - card.shown_at)} ago" if card.shown_at else "not probed"
    lines = [rule(f"effect · {age} · probed again before it runs", width)]
    shown = [effect for effect in card.effects if effect.kind != "none"]
    if not shown:
        return [*lines, *wrap("The harness has no preview of this; the arguments below are all that is known.", width)]
    body = [line for effect in shown for line in _probed(effect, len(shown) > 1, width, paint)]
    left = room - len(lines)
    if len(body) <= left:
        return lines + body
    hidden = len(body) - left + 1
    more = clip(f"… {count(hidden, 'line')} more: interlock plan preview {card.digest[:12]}", width)
    return [*lines, *body[: left - 1], more]


def _probed(effect: Effect, named: bool, width: int, paint: Paint) -> Iterator[str]:
    words = {
        "diff": "changes, - now, + then",
        "absent": "nothing is there yet; this would be",
        "text": "what is there now",
        "relabel": "a label would be lowered, of a value that is now",
    }
    label = "" if effect.label == CLEAN and effect.kind != "relabel" else f" · {_label(effect.label)}"
    if named or effect.kind != "diff" or label:
        yield clip(f"{effect.step + ': ' if named else ''}{words.get(effect.kind, effect.kind)}{label}", width)
    tones = {"+": "good", "-": "danger"}
    for text in visible(effect.text, lines=True).split("\n"):
        for line in cut(text, width - 2):
            tone = tones.get(text[:1], "") if effect.kind in {"diff", "absent"} else ""
            yield "│ " + (paint(line, tone) if tone else line)


# ---- 4. to 9.


def _rest(card: Card, width: int, paint: Paint) -> Iterator[str]:
    yield from ("", rule("why you", width), *_why_you(card, width, paint))
    yield from ("", rule("arguments, and where each comes from", width))
    for step in card.steps:
        if not step.finished:
            yield from _arguments(step, width, paint)
    yield from ("", rule("the plan", width), *_plan(card, width, paint))
    yield from ("", rule("earlier decisions on this action and target", width), *_precedents(card, width))
    yield from ("", *_planner(card, width))
    yield from ("", *_clock(card, width, paint))


def _why_you(card: Card, width: int, paint: Paint) -> Iterator[str]:
    yield from _hang(f"{quoted(card.requester)} asked for: {quoted(card.goal, 400)}", width)
    for cause in card.causes or (Cause(decision="STEP_UP", code="gate.no_reason"),):
        yield from _cause(cause, width)
    have = ", ".join(visible(name) for name in card.approvals) or "none yet"
    yield f"Approvals: {len(card.approvals)} of {card.needed} ({clip(have, max(8, width - 24))})"
    if card.viewer and card.viewer == card.requester:
        cannot = "You are the requester: you cannot approve."
        may = "You are the requester as well as the approver; duties are not separated here."
        yield from (paint(line, "warn") for line in wrap(cannot if card.separate_duties else may, width))


def _cause(cause: Cause, width: int) -> Iterator[str]:
    between = ", " if cause.field.startswith("from ") else "."
    where = f"{cause.step}{between + visible(cause.field) if cause.field else ''}: " if cause.step else ""
    rule_text = f", rule {visible(cause.rule)}" if cause.rule else ""
    place = f" at {visible(cause.place)}" if cause.place else ""
    owner = f", owner {visible(cause.owner)}" if cause.owner else ""
    said = f" “{visible(cause.why)}”" if cause.why else ""
    text = f"• {where}{meaning(cause.code)}{said} [{visible(cause.code)}{rule_text}{place}{owner}]"
    yield from _hang(text, width)
    instead = automatic(cause.code)
    if instead:
        yield from ("  " + line for line in wrap(f"automatic: {instead}", width - 2))


def _arguments(step: StepView, width: int, paint: Paint) -> Iterator[str]:
    yield f"{step.id} · {visible(step.action)}" + ("" if step.arguments else " · no arguments")
    for argument in step.arguments:
        untrusted = argument.label.untrusted
        flag = " ⚠ UNTRUSTED" if untrusted else ""
        text = f"  {visible(argument.name)}{flag}: {visible(argument.origin)} · {_label(argument.label)}"
        yield from _hang(text, width)
        for line in _full(argument, width - 4):
            yield "  │ " + (paint(line, "untrusted") if untrusted else line)


def _full(argument: ArgumentView, width: int) -> Iterator[str]:
    text = argument.text
    for line in visible(text[:FULL], lines=True).split("\n"):
        yield from cut(line, width)
    if len(text) > FULL:
        yield from wrap(f"… {len(text) - FULL:,} of {len(text):,} characters more: interlock plan show --json", width)


def _plan(card: Card, width: int, paint: Paint) -> Iterator[str]:
    for step in card.steps:
        mark = "✓ done" if step.finished else "▶ asks" if step.asks else "· next"
        yield from _hang(f"{mark}  {step.id}  {sentence(step)}", width)
        notes = "; ".join((*step.notes, f"undo: {step.undo}", *_judged(step)))
        tone = "danger" if step.undo == "none" else ""
        for line in wrap(visible(notes), width - 8):
            yield " " * 8 + (paint(line, tone) if tone else line)
    for change in card.changes:
        yield from _hang(f"since the parent plan: {visible(change)}", width)


def _judged(step: StepView) -> Iterator[str]:
    if step.distance is not None:
        yield f"judge: {step.judge}, {step.distance} of 100 from the goal"


def _precedents(card: Card, width: int) -> Iterator[str]:
    if not card.precedents:
        yield "none: this is the first"
    for past in card.precedents:
        text = f"{moment(past.at)}  {past.decision:8} {past.outcome:11} {past.plan[:12]}  {visible(past.same)}"
        yield clip(text, width)


def _planner(card: Card, width: int) -> list[str]:
    inner = width - 4
    lines = wrap("goal as it understood it: " + visible(card.planner_goal), inner)
    for step in card.steps:
        if step.reason:
            lines += wrap(f"{step.id}: {visible(step.reason)}", inner)
    return box("written by the planner, unverified", lines, width)


def _clock(card: Card, width: int, paint: Paint) -> Iterator[str]:
    left = card.expires_at - card.now
    text = (
        f"Silence is denial: expires {moment(card.expires_at)}, in {span(left)}."
        if left > 0
        else "Expired: denied by silence."
    )
    yield paint(text, "warn")
    yield f"plan   sha256:{card.digest}" if width >= 78 else card.digest  # noqa: PLR2004 - a digest has 64 cells
    if card.certificate:
        yield f"proved interlock policy prove, certificate {card.certificate[:12]}"
    yield f"verify interlock plan show {card.digest[:12]} --verify && interlock ledger verify"
    if card.status == "pending":
        yield f"answer interlock approve {card.digest[:12]}   or   interlock deny {card.digest[:12]}"


def _label(label: Label) -> str:
    scopes = f", of {visible(', '.join(label.scopes))}" if label.scopes else ""
    sources = f", from {visible(', '.join(label.sources))}" if label.sources else ""
    return f"{label.confidentiality.value}, {label.integrity.value}{scopes}{sources}"


def _hang(text: str, width: int) -> list[str]:
    indent = " " * (len(text) - len(text.lstrip(" ")))
    first, *more = wrap(text.lstrip(" "), width - 2 - len(indent))
    return [indent + first, *(f"{indent}  {line}" for line in more)]
