"""Checks the model of a plan's life: properties hold, witnesses are reached, every seeded mistake is caught.

    python3 formal/check.py                 # the explorer here; SPIN too where it is installed
    python3 formal/check.py --engine both   # SPIN is demanded
    python3 formal/check.py --trace 14      # how MUTANT_14 breaks its property, step by step

Exit codes: 0 as expected, 1 a surprise (each is named), 3 an engine that was asked for is missing.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from explore import Result, explore
from promela import read
from statuses import header, table

HERE = Path(__file__).resolve().parent
MODEL = HERE / "life.pml"
BIRTH = ("absent", "proposed")
# What a hostile party asks for and the sound model never grants: a position beyond the plan, the requester's own vote.
REFUSED = re.compile(r"(claim|release|act|record|surprise|kill)\(\d,\d,2\)|(confirm|withdraw)\(\d,0\)")


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table; ``surprise`` is empty when the outcome is the expected one."""

    engine: str
    subject: str
    outcome: str
    states: int
    seconds: float
    surprise: str = ""


def mutants() -> dict[int, tuple[str, str]]:
    """The seeded mistakes as life.pml lists them: number to (property, what is wrong)."""
    found = re.findall(r"^ \* MUTANT_(\d+) (I\d+): (.+)$", MODEL.read_text(encoding="utf-8"), re.MULTILINE)
    return {int(number): (name, text) for number, name, text in found}


def expected_to_hold(name: str) -> bool:
    return not name.startswith("reach_")


def verdict_row(engine: str, name: str, steps: int | None, states: int, seconds: float) -> Row:
    """A property of the sound model must hold; a witness must be reached (``steps`` is its trace's length)."""
    holds = steps is None
    outcome = "holds" if holds else f"{'BROKEN' if expected_to_hold(name) else 'reached'} in {steps} steps"
    wrong = holds != expected_to_hold(name)
    return Row(engine, name, outcome, states, seconds, f"{engine}: {name} {outcome}" if wrong else "")


def mutant_row(engine: str, number: int, steps: int | None, states: int, seconds: float) -> Row:
    """A mutant must break the property that is named for it."""
    name, text = mutants()[number]
    outcome = f"NOT caught by {name}" if steps is None else f"caught by {name} in {steps} steps"
    surprise = f"{engine}: MUTANT_{number} is {outcome}" if steps is None else ""
    return Row(engine, f"MUTANT_{number} {text}", outcome, states, seconds, surprise)


def with_explorer() -> list[Row]:
    """Everything, with formal/explore.py; no mutants of a model that is not sound itself, for they say nothing."""
    began = time.perf_counter()
    model = read(MODEL)
    result = explore(model)
    seconds = time.perf_counter() - began
    lengths = {name: len(trace) for name, trace in result.traces.items()}
    rows = [verdict_row("python", name, lengths.get(name), result.states, seconds) for name in model.properties]
    rows += agreement(result, set(model.rules))
    if any(row.surprise for row in rows):
        return rows
    for number, (name, _) in mutants().items():
        began = time.perf_counter()
        found = explore(read(MODEL, number), until=name)
        steps = len(found.traces[name]) if name in found.traces else None
        rows.append(mutant_row("python", number, steps, found.states, time.perf_counter() - began))
    return rows


def agreement(result: Result, rules: set[str]) -> list[Row]:
    """Model and table agree: the header is the table's, exactly its moves happen, and no rule is dead by accident."""
    moves = {(row["from"], row["to"]) for row in table()} | {BIRTH}
    dead = {rule for rule in rules - result.fired if not REFUSED.fullmatch(rule.replace(" ", ""))}
    granted = {rule for rule in result.fired if REFUSED.fullmatch(rule.replace(" ", ""))}
    written = (HERE / "statuses.pml").read_text(encoding="utf-8")
    checks = {
        "statuses.pml is written from life.json": [] if written == header() else ["statuses.pml"],
        "moves taken are those of life.json": sorted(result.moves ^ moves),
        "no rule is dead but the refused ones": sorted(dead | granted),
    }
    return [
        Row("python", name, "differs" if found else "agrees", result.states, 0.0, f"{name}: {found}" if found else "")
        for name, found in checks.items()
    ]


def compile_spin(folder: Path, mutant: int | None) -> Path:
    """SPIN's verifier of the model, compiled; ``folder`` must be empty."""
    seed = [] if mutant is None else [f"-DMUTANT_{mutant}"]
    subprocess.run(["spin", "-a", *seed, str(MODEL)], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["gcc", "-O0", "-w", "-DSAFETY", "-DNOREDUCE", "-o", "pan", "pan.c"], cwd=folder, check=True)
    return folder / "pan"


def run_spin(verifier: Path, name: str) -> tuple[int | None, int]:
    """Steps to the violation of one claim (None: it holds) and the states stored; raises if the search was cut."""
    command = [str(verifier), "-m100000", "-N", name]
    text = subprocess.run(command, cwd=verifier.parent, check=True, capture_output=True, text=True).stdout
    found = re.search(r"depth reached (\d+), errors: (\d+)\s+(\d+) states, stored", text)
    if found is None or "max search depth too small" in text:
        raise RuntimeError(f"spin did not finish {name}:\n{text}")
    at = re.search(r"pan:1: .*\(at depth (\d+)\)", text)
    # Depth counts a step of the claim for each step of the model.
    return (None if found[2] == "0" else int(at[1]) // 2 if at else 0), int(found[3])


def spin_clean(states: int) -> list[Row]:
    """The sound model under SPIN, which must also store exactly as many states as the explorer visited."""
    with tempfile.TemporaryDirectory() as folder:
        verifier = compile_spin(Path(folder), None)
        rows = []
        for name in read(MODEL).properties:
            began = time.perf_counter()
            steps, stored = run_spin(verifier, name)
            rows.append(verdict_row("spin", name, steps, stored, time.perf_counter() - began))
            if steps is None and stored != states:
                surprise = f"spin stored {stored} states, the explorer visited {states}"
                rows.append(Row("spin", "same states as python", "differs", stored, 0.0, surprise))
    return rows


def spin_mutant(number: int) -> Row:
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        steps, stored = run_spin(compile_spin(Path(folder), number), mutants()[number][0])
    return mutant_row("spin", number, steps, stored, time.perf_counter() - began)


def with_spin(states: int) -> list[Row]:
    """Everything, with SPIN; two verifiers are compiled at a time."""
    with ThreadPoolExecutor(2) as pool:
        clean = pool.submit(spin_clean, states)
        seeded = list(pool.map(spin_mutant, mutants()))
    return clean.result() + seeded


def missing() -> list[str]:
    return [tool for tool in ("spin", "gcc") if shutil.which(tool) is None]


def show(rows: list[Row]) -> None:
    for row in rows:
        mark = "!!" if row.surprise else "ok"
        figures = f"{row.states:>7} {row.seconds:6.2f}s"
        sys.stdout.write(f"{mark} {row.engine:6} {row.subject:92} {row.outcome:26} {figures}\n")


def show_trace(number: int) -> int:
    """Print the shortest way in which a mutant breaks its property, one rule a line."""
    name, text = mutants()[number]
    steps = explore(read(MODEL, number), until=name).traces.get(name, [])
    sys.stdout.write("\n".join([f"{name} breaks because {text}:", *steps]) + "\n")
    return 0 if steps else 1


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--engine", choices=("auto", "python", "both"), default="auto", help="auto: SPIN where installed"
    )
    parser.add_argument("--trace", type=int, choices=mutants(), metavar="N", help="only print how MUTANT_N fails")
    chosen = parser.parse_args(arguments)
    if chosen.trace is not None:
        return show_trace(chosen.trace)
    engine = chosen.engine
    lacking = missing()
    if engine == "both" and lacking:
        remedy = "apt-get install spin gcc; --engine python needs neither"
        sys.stderr.write(f"missing: {', '.join(lacking)} ({remedy})\n")
        return 3
    began = time.perf_counter()
    rows = with_explorer()
    if engine != "python" and not lacking and not any(row.surprise for row in rows):
        rows += with_spin(rows[0].states)
    show(rows)
    surprises = [row.surprise for row in rows if row.surprise]
    sys.stderr.writelines(f"surprise: {text}\n" for text in surprises)
    engines = sorted({row.engine for row in rows})
    sys.stdout.write(
        f"{len(mutants())} mutants, {len(rows)} checks, {len(surprises)} surprises, {' and '.join(engines)}, "
        f"{time.perf_counter() - began:.1f} s\n"
    )
    return 1 if surprises else 0


if __name__ == "__main__":
    raise SystemExit(main())
