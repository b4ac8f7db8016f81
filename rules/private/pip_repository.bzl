"""Repository rule: Python packages from a lock file with hashes, one Bazel package a distribution.

Labels are those of a rules_python pip hub (`@edgetpu_pip//numpy`, `@edgetpu_pip//numpy:data`), so BUILD files are
the same on every Bazel.
"""

_PIP_VARIABLES = [
    "PIP_CERT",
    "PIP_CONFIG_FILE",
    "PIP_EXTRA_INDEX_URL",
    "PIP_FIND_LINKS",
    "PIP_INDEX_URL",
    "PIP_NO_INDEX",
    "PIP_PROXY",
    "PIP_TRUSTED_HOST",
]

_ALIASES = """# Written by rules_edgetpu//rules/private:pip_repository.bzl.
package(default_visibility = ["//visibility:public"])

alias(name = "{name}", actual = "@{hub}//{name}")

alias(name = "data", actual = "@{hub}//{name}:data")
"""

def _locked(text):
    """Splits a lock file into {package name: its lines}."""
    entries = {}
    name = None
    for line in text.split("\n"):
        if not line.strip() or line.strip().startswith("#"):
            continue
        if not line.startswith(" "):
            name = line.split("==")[0].strip().lower().replace("-", "_").replace(".", "_")
            entries[name] = []
        entries[name].append(line)
    return entries

def _take_from(rctx, hub, lock, wanted):
    """Packages of another hub that are wanted here, too: aliases of those; they leave `wanted`."""
    there = _locked(rctx.read(lock))
    for name in there:
        if name in wanted:
            if wanted.pop(name) != there[name]:
                fail("%s: %s and %s pin different versions of %s" % (rctx.name, rctx.attr.lock, lock, name))
            rctx.file(name + "/BUILD", _ALIASES.format(name = name, hub = hub), executable = False)
    return there

def _run(rctx, what, arguments):
    result = rctx.execute(arguments, timeout = 1200, environment = {"PYTHONDONTWRITEBYTECODE": "1"})
    if result.return_code != 0:
        fail("%s failed:\n%s%s" % (what, result.stdout, result.stderr))

def _pip_repository_impl(rctx):
    unpack = rctx.path(rctx.attr._unpack)
    python = rctx.read(rctx.attr.interpreter).split("\n")[0]
    wanted = _locked(rctx.read(rctx.attr.lock))
    if rctx.attr.only:
        wanted = {name: wanted[name] for name in rctx.attr.only}
    provided = {}
    for lock, hub in rctx.attr.provided.items():
        provided.update(_take_from(rctx, hub, lock, wanted))

    lines = [line for name in sorted(wanted) for line in wanted[name]]
    rctx.file("lock.txt", "\n".join(lines) + "\n", executable = False)
    _run(rctx, "pip download for @" + rctx.name, [
        python,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--disable-pip-version-check",
        "--require-hashes",
        "--no-deps",
        "--only-binary=:all:",
        "--dest",
        "wheels",
        "-r",
        "lock.txt",
    ])
    _run(rctx, "unpacking the wheels of @" + rctx.name, [python, unpack, "wheels"] + sorted(provided))
    rctx.delete("wheels")
    rctx.file("BUILD", "", executable = False)

pip_repository = repository_rule(
    doc = "Downloads the wheels of a lock file, checks their hashes and makes one py_library of each.",
    implementation = _pip_repository_impl,
    attrs = {
        "interpreter": attr.label(mandatory = True, doc = "File whose first line is the path of the Python that runs pip."),
        "lock": attr.label(mandatory = True, doc = "Lock file: every package with == and --hash."),
        "only": attr.string_list(doc = "Packages that are wanted; empty: all of the lock file."),
        "provided": attr.label_keyed_string_dict(doc = "{lock file: name of the pip repository}: packages that are taken from there."),
        "_unpack": attr.label(default = "@rules_edgetpu//rules/private:unpack_wheels.py"),
    },
    environ = _PIP_VARIABLES,
)
