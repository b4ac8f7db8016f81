"""The native rule py_binary, under rules_python's load path."""

py_binary = native.py_binary
