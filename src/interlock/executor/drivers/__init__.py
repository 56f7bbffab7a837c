"""How a step acts. Drivers are not actions: a planner never names one, a manifest does."""
