"""PyInfo, under rules_python's load path."""

load(":private_natives.bzl", "native_py_info")

PyInfo = native_py_info
