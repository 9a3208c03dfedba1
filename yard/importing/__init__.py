"""Files of other tools, read once and turned into `services`: one module a dialect, behind one table."""
