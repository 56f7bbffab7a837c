"""Attacks and harmless calls at the boundary of a running harness, in a closed world, judged by what they change there."""
