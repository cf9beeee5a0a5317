"""Flyte on a cluster: its configuration, its processes, and the environment it is measured in."""
