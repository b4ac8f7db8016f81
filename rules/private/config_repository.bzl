"""Repository rule behind edgetpu_config: edgetpu.yaml as a macro."""

_DEFS = """# Written by rules_edgetpu//rules/private:config_repository.bzl from {file}.
"Targets of an edgetpu.yaml."

load("@rules_edgetpu//rules/private:config_targets.bzl", "declare_targets")

_TARGETS = json.decode({targets})

def edgetpu_targets(name = "edgetpu_targets", **kwargs):
    \"\"\"Declares the targets that the file has for this package.

    Args:
      name: not used; every macro has one.
      **kwargs: for each of them: `visibility`, `tags`, `testonly`.
    \"\"\"
    declare_targets(_TARGETS, **kwargs)
"""

_BUILD = """# Written by rules_edgetpu//rules/private:config_repository.bzl.
exports_files(["defs.bzl", "targets.json"])
"""

# A change of one of these means to read the file anew.
_READER = [
    "@rules_edgetpu//compiler:" + name
    for name in [
        "errors.py",
        "release.py",
        "config/checks.py",
        "config/config.py",
        "config/document.py",
        "config/entries.py",
        "config/errors.py",
        "config/fields.py",
        "config/kinds.py",
        "config/reader.py",
        "config/targets.py",
    ]
]

def _config_repository_impl(rctx):
    python = rctx.read(rctx.attr.interpreter).split("\n")[0]
    packages = rctx.path(rctx.attr.yaml).dirname.get_child("site")
    root = rctx.path(rctx.attr._root).dirname
    for label in rctx.attr._reader:
        rctx.path(label)
    separator = ";" if "windows" in rctx.os.name.lower() else ":"
    result = rctx.execute(
        [python, "-m", "compiler.config.targets", rctx.path(rctx.attr.file), rctx.attr.file.package],
        environment = {
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONNOUSERSITE": "1",
            "PYTHONPATH": separator.join([str(root), str(packages)]),
        },
    )
    if result.return_code != 0:
        fail("\n\n" + result.stderr)
    rctx.file("BUILD", _BUILD, executable = False)
    rctx.file("targets.json", result.stdout, executable = False)
    rctx.file("defs.bzl", _DEFS.format(file = rctx.attr.file, targets = repr(result.stdout)), executable = False)

config_repository = repository_rule(
    doc = "Turns an edgetpu.yaml into the macro `edgetpu_targets` of its `//:defs.bzl`.",
    implementation = _config_repository_impl,
    attrs = {
        "file": attr.label(mandatory = True, doc = "The edgetpu.yaml."),
        "interpreter": attr.label(mandatory = True, doc = "File whose first line is the path of a Python."),
        "yaml": attr.label(mandatory = True, doc = "The BUILD file beside which the folder site/ has PyYAML."),
        "_reader": attr.label_list(default = _READER),
        "_root": attr.label(default = "@rules_edgetpu//:MODULE.bazel"),
    },
)
