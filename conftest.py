"""Test tools that this project's own tests use."""

pytest_plugins = ["pytester"]
