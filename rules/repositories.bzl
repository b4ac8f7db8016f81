"""What a WORKSPACE file (Bazel 4 and 5) calls. Bazel 6 and later: extensions.bzl."""

load("//rules/private:compat.bzl", "compat_repository")
load("//rules/private:host_python.bzl", "host_python")
load("//rules/private:pip_repository.bzl", "pip_repository")

_COMPAT = ["bazel_skylib", "remote_coverage_tools", "rules_cc", "rules_java", "rules_python"]

def rules_edgetpu_compat():
    """Stands in for the repositories that Bazel would fetch from the network.

    Leaves alone every name that the workspace has defined before.
    """
    for name in _COMPAT:
        if not native.existing_rule(name):
            compat_repository(name = name)

def rules_edgetpu_dependencies():
    """Defines @edgetpu_python (the interpreter) and @edgetpu_pip (the compiler's Python packages).

    Then register `@edgetpu_python//:py_toolchain` and `@rules_edgetpu//rules:default_toolchain`.
    """
    host_python(name = "edgetpu_python")
    pip_repository(
        name = "edgetpu_pip",
        interpreter = "@edgetpu_python//:interpreter_path.txt",
        lock = "@rules_edgetpu//third_party/python:requirements_lock.txt",
    )

def rules_edgetpu_test_dependencies():
    """Defines @edgetpu_pip_test: what only this repository's own tests need."""
    pip_repository(
        name = "edgetpu_pip_test",
        interpreter = "@edgetpu_python//:interpreter_path.txt",
        lock = "@rules_edgetpu//third_party/python:requirements_test_lock.txt",
        provided_by = "edgetpu_pip",
        provided_lock = "@rules_edgetpu//third_party/python:requirements_lock.txt",
    )
