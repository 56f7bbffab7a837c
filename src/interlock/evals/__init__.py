"""Evaluation: what the gate stops, asks and lets pass, measured on attacks whose planner is taken over."""
