"""The executor: a core that walks one sealed plan, steps that each carry out one of its steps, and their drivers."""
