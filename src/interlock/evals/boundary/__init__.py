"""Attacks and harmless calls at the boundary of a running harness, judged by what they change in a closed world."""
