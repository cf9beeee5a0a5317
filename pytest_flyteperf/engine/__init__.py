"""The embedded engine: its programs, and the processes that run them."""
