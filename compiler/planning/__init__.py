"""Reads the Partition level and writes the Plan level: where everything lives, and when."""
