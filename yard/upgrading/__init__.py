"""Bringing a project to another version of the program."""
