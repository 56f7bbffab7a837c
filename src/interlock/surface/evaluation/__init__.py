"""Reports of evaluations as people read them: on a terminal, and as one page with plots."""
