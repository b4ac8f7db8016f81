"""Native symbols under names that py_info.bzl can re-export."""

native_py_info = PyInfo
