"""The jailed helpers that hold a network: model gateway, egress proxy and notifier."""
