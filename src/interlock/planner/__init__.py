"""The planner: it turns a task into an unsigned plan, over one channel and with nothing else."""
