"""Reads the Plan level and writes the Program level: one module an operator family."""
