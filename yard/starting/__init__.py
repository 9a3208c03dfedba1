"""How a project begins: its services are found, its files are written, and the program comes into it, at a version."""
