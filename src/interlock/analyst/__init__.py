"""The analyst: jailed parsers and classifiers that turn bytes into typed effects, signals and scores.

Numerical libraries are told to stay in one thread: a process that is to be locked down has no other.
"""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
