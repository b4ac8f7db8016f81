"""The native rule py_test, under rules_python's load path."""

py_test = native.py_test
