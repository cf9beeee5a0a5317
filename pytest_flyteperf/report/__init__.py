"""Reports: strings for the terminal, documents for files."""
