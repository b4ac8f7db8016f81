"""The native rule py_library, under rules_python's load path."""

py_library = native.py_library
