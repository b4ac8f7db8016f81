"""The chip ("beagle", the Edge TPU's core): bit tables, parameter data and executables.

Reads the Program level and writes the file level, and back. Facts:
docs/format/instructions.md, synchronisation.md, container.md.
"""
