"""The native Python rules, under rules_python's load path."""

load(":py_info.bzl", _PyInfo = "PyInfo")

py_binary = native.py_binary
py_library = native.py_library
py_test = native.py_test
PyInfo = _PyInfo
