"""AgentDojo under the assumption that the planner is taken over, played through the real gate and run.

Each user task is a plan made before anything was observed; each pair adds an injection task whose calls a hijacked
planner proposes from the first poisoned read on, on the live state, after every step.  The harness is never told who
proposes.  Only the processes are missing: tools act on the benchmark's own environment, in this process.
"""
