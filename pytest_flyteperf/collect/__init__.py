"""All raw facts of one repeat, gathered after its end and written as a recording."""
