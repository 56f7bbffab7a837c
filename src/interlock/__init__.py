"""Interlock: an agent plans, an executor acts, and a harness between them decides, records and undoes."""
