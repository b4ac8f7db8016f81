"""Module extension for MODULE.bazel (Bazel 6 and later). Loaded by nothing else: older Bazel has no module_extension."""

load("//rules/private:host_python.bzl", "host_python")

def _edgetpu_impl(_module_ctx):
    # The interpreter itself comes from rules_python's toolchain; this repository records the host's.
    host_python(name = "edgetpu_python", toolchain = False)

edgetpu = module_extension(
    doc = "Defines @edgetpu_python.",
    implementation = _edgetpu_impl,
)
