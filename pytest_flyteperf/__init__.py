"""Performance regressions of Flyte as failing tests."""

__version__ = "0.1.0"
