"""The pure heart: values in, a verdict out.  No clock, randomness or I/O; ``now`` and evidence are arguments."""
