"""The analyst: jailed parsers and classifiers that will turn bytes into typed effects; none is in this release."""
