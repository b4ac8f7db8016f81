"""Module extensions for MODULE.bazel (Bazel 6 and later). Loaded by nothing else: older Bazel has no module_extension."""

load("//rules/private:config_repository.bzl", "config_repository")
load("//rules/private:host_python.bzl", "host_python")
load("//rules/private:pip_repository.bzl", "pip_repository")

_PIP = "edgetpu_config_pip"

_config = tag_class(
    doc = "An edgetpu.yaml: `use_repo` its name, load `edgetpu_targets` from `@<name>//:defs.bzl`, and call it in the BUILD files of its packages.",
    attrs = {
        "file": attr.label(
            doc = "The edgetpu.yaml.",
            mandatory = True,
        ),
        "name": attr.string(
            doc = "Name of the repository.",
            default = "edgetpu_config",
        ),
    },
)

def _edgetpu_impl(module_ctx):
    # The interpreter itself comes from rules_python's toolchain; this repository records the host's.
    host_python(name = "edgetpu_python", toolchain = False)
    pip_repository(
        name = _PIP,
        interpreter = "@edgetpu_python//:interpreter_path.txt",
        lock = Label("//third_party/python:requirements_lock.txt"),
        only = ["pyyaml"],
    )
    owners = {}
    for module in module_ctx.modules:
        for tag in module.tags.config:
            if tag.name in owners:
                fail("edgetpu.config(name = %r) is in the modules %s and %s" % (tag.name, owners[tag.name], module.name))
            owners[tag.name] = module.name
            config_repository(
                name = tag.name,
                file = tag.file,
                interpreter = "@edgetpu_python//:interpreter_path.txt",
                yaml = "@%s//pyyaml:BUILD" % _PIP,
            )

edgetpu = module_extension(
    doc = "Defines @edgetpu_python, and a repository for each edgetpu.yaml.",
    implementation = _edgetpu_impl,
    tag_classes = {"config": _config},
)
