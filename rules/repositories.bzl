"""What a WORKSPACE file (Bazel 4 and 5) calls. Bazel 6 and later: extensions.bzl."""

load("//rules/private:compat.bzl", "compat_repository")
load("//rules/private:config_repository.bzl", "config_repository")
load("//rules/private:host_python.bzl", "host_python")
load("//rules/private:pip_repository.bzl", "pip_repository")

_COMPAT = ["bazel_skylib", "remote_coverage_tools", "rules_cc", "rules_java", "rules_python"]
_INTERPRETER = "@edgetpu_python//:interpreter_path.txt"
_LOCK = "@rules_edgetpu//third_party/python:requirements_lock.txt"
_RUN_LOCK = "@rules_edgetpu//third_party/python:requirements_run_lock.txt"
_TEST_LOCK = "@rules_edgetpu//third_party/python:requirements_test_lock.txt"

def rules_edgetpu_compat():
    """Stands in for the repositories that Bazel would fetch from the network.

    Leaves alone every name that the workspace has defined before.
    """
    for name in _COMPAT:
        if not native.existing_rule(name):
            compat_repository(name = name)

def rules_edgetpu_dependencies():
    """Defines @edgetpu_python (the interpreter) and the compiler's Python packages.

    @edgetpu_pip is what compiling needs; @edgetpu_pip_run, which is fetched only where a test compares with the CPU, has the TensorFlow Lite
    interpreter. Then register `@edgetpu_python//:py_toolchain` and `@rules_edgetpu//rules:default_toolchain`.
    """
    host_python(name = "edgetpu_python")
    pip_repository(
        name = "edgetpu_pip",
        interpreter = _INTERPRETER,
        lock = _LOCK,
    )
    pip_repository(
        name = "edgetpu_pip_run",
        interpreter = _INTERPRETER,
        lock = _RUN_LOCK,
        provided = {_LOCK: "edgetpu_pip"},
    )

def rules_edgetpu_test_dependencies():
    """Defines @edgetpu_pip_test: what only this repository's own tests need."""
    pip_repository(
        name = "edgetpu_pip_test",
        interpreter = _INTERPRETER,
        lock = _TEST_LOCK,
        provided = {
            _LOCK: "edgetpu_pip",
            _RUN_LOCK: "edgetpu_pip_run",
        },
    )

def edgetpu_config(name, file):
    """Turns an edgetpu.yaml into targets.

    On Bazel 6 and later, the tag `edgetpu.config` of `@rules_edgetpu//rules:extensions.bzl` is the same. A BUILD file loads `edgetpu_targets` from `@<name>//:defs.bzl` and calls it to declare the targets of its package.

    Args:
      name: name of the repository.
      file: label of the edgetpu.yaml.
    """
    config_pip_repository(name + "_pip", _INTERPRETER)
    config_repository(
        name = name,
        file = file,
        interpreter = _INTERPRETER,
        yaml = "@%s_pip//pyyaml:BUILD" % name,
    )

def config_pip_repository(name, interpreter):
    """Defines the one package that reading an edgetpu.yaml needs.

    Args:
      name: name of the repository.
      interpreter: label of the file with the interpreter's path.
    """
    pip_repository(
        name = name,
        interpreter = interpreter,
        lock = _LOCK,
        only = ["pyyaml"],
    )
