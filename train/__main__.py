"""``python -m train``: fit both models, choose thresholds on held-out sources, write weights, digests and tables.

``--check`` writes nothing and exits 1 where what would be written differs from what stands there.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
from pathlib import Path
from typing import Literal

import numpy as np

from interlock.analyst.classifier import container, linear
from interlock.analyst.classifier.features import FACT_BUCKETS, TEXT_BUCKETS
from train import corpora
from train.fitting import Floats
from train.held_out import Held, action_table, calibration, from_own, held_out, text_table, thresholds
from train.rows import OWN, Learnt, Penalty, Sample, learn

_ROOT = Path(__file__).resolve().parents[1]
_PACKAGE = _ROOT / "src" / "interlock" / "analyst" / "classifier"
_ARTIFACT = _ROOT / "src" / "interlock" / "artifact" / "thresholds.py"
_CARD = _ROOT / "docs" / "model-card.md"
_THRESHOLDS = '''"""From how many thousandths of a score the gate asks, and denies; written by ``make train``."""

from __future__ import annotations

from typing import Final

RAISED_FROM: Final = {raises}
DENIED_FROM: Final = {denies}
'''
_TEXTS = Penalty(text=0.3)
_PINNED = '''"""The digests of the models that this package carries; written by ``make train``."""

from __future__ import annotations

from typing import Final

DIGESTS: Final = {{
    "action": "{action}",
    "text": "{text}",
}}
'''


def main() -> int:
    """Train, or check that training gives what the package carries."""
    parser = argparse.ArgumentParser(prog="python -m train", description=__doc__)
    parser.add_argument("--corpora", type=Path, default=os.environ.get("INTERLOCK_CORPORA"), metavar="DIR")
    parser.add_argument("--check", action="store_true")
    given = parser.parse_args()
    if given.corpora is None:
        parser.error("name the folder of the corpora: --corpora or INTERLOCK_CORPORA")
    found = build(given.corpora)
    changed = [path for path, content in found.items() if not path.exists() or path.read_bytes() != content]
    for path in changed:
        print(f"{'differs' if given.check else 'written'}: {path.name}")
        if not given.check:
            path.write_bytes(found[path])
    return 1 if given.check and changed else 0


def build(folder: Path) -> dict[Path, bytes]:
    """Every file that training makes, by its path."""
    judged = corpora.actions(folder)
    words = [one.word for one in judged]
    samples = [*(one.sample for one in judged), *corpora.own_actions()]
    held = {use: held_out(samples, use) for use in ("tf", "f", "t")} | {OWN: from_own(samples)}
    passing = frozenset(at for at, word in enumerate(words) if word == "ALLOW")
    action = _model("action", learn(samples), held["tf"], samples, passing)
    texts = [*corpora.texts(folder), *corpora.own_texts()]
    held_texts = held_out(texts, "t", _TEXTS)
    text = _model("text", learn(texts, "t", _TEXTS), held_texts, texts)
    files = {_PACKAGE / "action.model": container.write(action), _PACKAGE / "text.model": container.write(text)}
    digests = {path.stem: hashlib.sha256(content).hexdigest() for path, content in files.items()}
    chosen = {"raises": action.header.raises, "denies": action.header.denies}
    files[_ARTIFACT] = _THRESHOLDS.format(**chosen).encode()
    files[_PACKAGE / "pinned.py"] = _PINNED.format(**digests).encode()
    tables = [action_table(samples, words, held, action.header), text_table(texts, held_texts, text.header)]
    files[_CARD] = _carded(_CARD.read_text("utf-8"), "\n\n".join(tables)).encode()
    return files


def _model(
    kind: Literal["action", "text"],
    learnt: Learnt,
    held: Held,
    samples: list[Sample],
    passing: frozenset[int] | None = None,
) -> container.Model:
    """The learnt weights in whole numbers, with thousandths and thresholds from held-out sources."""
    buckets, facts = (TEXT_BUCKETS, FACT_BUCKETS) if kind == "action" else (corpora.TEXT_HEAD_BUCKETS, 0)
    text, text_scale = _whole(learnt.weights[:buckets])
    fact, fact_scale = _whole(learnt.weights[TEXT_BUCKETS : TEXT_BUCKETS + facts])
    slope, offset = calibration(held, samples)
    raises, denies = thresholds(held, samples, slope, offset, passing)
    header = container.Header(
        kind=kind, text_buckets=buckets, fact_buckets=facts, text_scale=text_scale,
        fact_scale=fact_scale, bias=round(learnt.bias * linear.ONE), raises=raises, denies=denies,
    )  # fmt: skip
    return container.Model(header, text, fact, linear.logistic_cuts(slope, offset))


def _whole(weights: Floats) -> tuple[np.ndarray[tuple[int, ...], np.dtype[np.int8]], int]:
    most = float(np.abs(weights).max(initial=0.0)) or 1.0
    return np.rint(weights / most * 127).astype(np.int8), round(most / 127 * linear.ONE)


def _carded(card: str, tables: str) -> str:
    start, end = "<!-- tables: written by make train -->", "<!-- end of tables -->"
    before, _, rest = card.partition(start)
    return f"{before}{start}\n\n{tables}\n\n{end}{rest.partition(end)[2]}"


if __name__ == "__main__":
    sys.exit(main())
