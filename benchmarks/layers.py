"""What each further layer adds to a decision about a command, through the jailed analyst, every question a new one.

``layers.policy`` asks no analyst, ``.effects`` the analysers alone, ``.classifier`` everything.  Baseline is the
decision without the analyst.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator

from benchmarks.measuring import Row, row
from interlock.evals import corpus
from interlock.evals.labelled import of_line
from interlock.evals.latency import latencies
from interlock.evals.profiles import judges

_LINES = (
    "ls -la src/part{0} | head -20",
    "git add src/part{0}.py && git commit -m 'Part {0}'",
    "python -m pytest tests/part{0} -q --maxfail 1 > out{0}.txt",
    "grep -rn 'parse_{0}' src --include='*.py' | sort | uniq -c",
    'for f in data/{0}/*.csv; do wc -l "$f"; done',
    "curl -s https://api.example.org/v1/items/{0} | jq .name",
    "tar czf backup{0}.tar.gz src docs && rm -rf build{0}",
)


def run(*, tiny: bool = False) -> list[Row]:
    """Microseconds at the median."""
    lines = itertools.islice(_lines(), len(_LINES) * (1 if tiny else 60))
    with judges(("policy", "effects", "default")) as held:
        found = list(corpus.judged(held, (of_line(line, "ours") for line in lines)))
    medians = {one.profile: one.median for one in latencies(found)}
    bare = medians["policy"]
    return [
        row("layers.policy", bare, "us"),
        row("layers.effects", medians["effects"], "us", bare),
        row("layers.classifier", medians["default"], "us", bare),
    ]


def _lines() -> Iterator[str]:
    for number in itertools.count():
        for line in _LINES:
            action = {"type": "execute_command", "args": {"command": line.format(number)}}
            yield json.dumps({"label": "benign", "action": action})
