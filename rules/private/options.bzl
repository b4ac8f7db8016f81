"""Options of a compilation as attributes, checked while Bazel analyses."""

load("//rules:providers.bzl", "EdgeTpuSettingInfo")

RUNTIME_VERSIONS = ["10", "11", "12", "13", "14"]

OPTION_ATTRS = {
    "emulate_release": attr.string(
        doc = "Write what this vendor release wrote (\"16.0\", \"15.0\"). Empty: the build setting, else the compiler's default.",
    ),
    "enable_multiple_subgraphs": attr.bool(
        doc = "Map every supported subgraph, each as a custom operator of its own.",
    ),
    "min_runtime_version": attr.string(
        doc = "The oldest Edge TPU runtime that must run the model. Empty: the build setting, else the compiler's default.",
    ),
    "show_operations": attr.bool(
        doc = "Print where every operator runs.",
    ),
    "timeout_sec": attr.int(
        doc = "Give up after so many seconds. 0: the compiler's default.",
    ),
    "_emulate_release": attr.label(
        default = "//rules:emulate_release",
    ),
    "_min_runtime_version": attr.label(
        default = "//rules:min_runtime_version",
    ),
}

# Not for models that are compiled together.
SEARCH_ATTRS = {
    "delegate_search_step": attr.int(
        doc = "Operators to step back in each attempt of `search_delegate`. 0: the compiler's default.",
    ),
    "search_delegate": attr.bool(
        doc = "After a failure, search for an earlier point to stop compiling at.",
    ),
}

def runtime_version(ctx):
    """The target's minimal runtime version, or that of the build setting; empty: none.

    Args:
      ctx: of a rule with OPTION_ATTRS.

    Returns:
      A string.
    """
    version = ctx.attr.min_runtime_version
    if version and version not in RUNTIME_VERSIONS:
        fail("%s: min_runtime_version = %s, but there are the runtimes %s" %
             (ctx.label, version, ", ".join(RUNTIME_VERSIONS)))
    return version or ctx.attr._min_runtime_version[EdgeTpuSettingInfo].value

def _release(ctx, compiler):
    release = ctx.attr.emulate_release or ctx.attr._emulate_release[EdgeTpuSettingInfo].value
    if release and release not in compiler.emulates_releases:
        fail("%s: emulate_release = %r, but the registered compiler can write: %s" %
             (ctx.label, release, ", ".join(compiler.emulates_releases) or "no release by name"))
    return release

def _search(ctx):
    step = getattr(ctx.attr, "delegate_search_step", 0)
    if not getattr(ctx.attr, "search_delegate", False):
        if step:
            fail("%s: delegate_search_step = %d has no effect without search_delegate" % (ctx.label, step))
        return []
    if step < 0:
        fail("%s: delegate_search_step = %d, but it is a number of operators" % (ctx.label, step))
    return ["--search_delegate"] + (["--delegate_search_step", str(step)] if step else [])

def option_arguments(ctx, compiler):
    """The command line of a target's options.

    Args:
      ctx: of a rule with OPTION_ATTRS.
      compiler: EdgeTpuCompilerInfo.

    Returns:
      A list of strings.
    """
    arguments = []
    runtime = runtime_version(ctx)
    release = _release(ctx, compiler)
    if ctx.attr.timeout_sec < 0:
        fail("%s: timeout_sec = %d, but it is a number of seconds" % (ctx.label, ctx.attr.timeout_sec))
    if runtime:
        arguments += ["--min_runtime_version", runtime]
    if release:
        arguments += ["--emulate_release", release]
    if ctx.attr.timeout_sec:
        arguments += ["--timeout_sec", str(ctx.attr.timeout_sec)]
    if ctx.attr.enable_multiple_subgraphs:
        arguments.append("--enable_multiple_subgraphs")
    if ctx.attr.show_operations:
        arguments.append("--show_operations")
    return arguments + _search(ctx)

def version_text(version):
    """A version as BUILD files give it, as the rules take it.

    Args:
      version: number, string or None.

    Returns:
      A string, empty for None.
    """
    return "" if version == None else str(version)
