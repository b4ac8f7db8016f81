"""Mapping: what runs on the Edge TPU, and why not.

Reads the Graph level, writes the Partition level (docs/format/mapping.md).
"""
