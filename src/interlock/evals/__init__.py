"""Evaluation: what the gate stops, what it asks and what it lets pass, measured on attacks whose planner is taken over."""
