"""diff_test, under bazel_skylib's load path: passes where two files are equal."""

def _diff_test_impl(ctx):
    script = ctx.actions.declare_file(ctx.label.name + ".sh")
    ctx.actions.write(
        output = script,
        content = """#!/bin/sh
if ! diff -u "{expected}" "{actual}"; then
  echo >&2 "FAIL: {expected} and {actual} differ. {message}"
  exit 1
fi
""".format(
            expected = ctx.file.file1.short_path,
            actual = ctx.file.file2.short_path,
            message = ctx.attr.failure_message,
        ),
        is_executable = True,
    )
    return [DefaultInfo(
        executable = script,
        runfiles = ctx.runfiles([ctx.file.file1, ctx.file.file2]),
    )]

diff_test = rule(
    implementation = _diff_test_impl,
    attrs = {
        "failure_message": attr.string(doc = "What to do about a difference."),
        "file1": attr.label(allow_single_file = True, mandatory = True),
        "file2": attr.label(allow_single_file = True, mandatory = True),
    },
    test = True,
)
