"""Byte layouts of parameter data, one module a family (docs/format/parameters.md)."""
