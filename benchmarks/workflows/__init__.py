"""The workflows of the portfolio: one module each, imported by their tests and by their tasks' processes."""
