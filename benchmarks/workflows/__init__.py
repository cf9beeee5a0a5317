"""The workflows of the portfolio, imported by their tests and by the processes of their tasks."""
