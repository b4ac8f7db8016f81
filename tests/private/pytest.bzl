"""pytest under `bazel test`: one target a file."""

load("@rules_python//python:py_test.bzl", "py_test")

_RUNNER = "//tests/private:pytest_main.py"

def pytest_test(name, src, deps = [], data = [], **kwargs):
    """Runs one pytest file.

    The test cases are in the target's test.xml; `--test_filter` is pytest's `-k`; with `shard_count` every
    shard takes its part of the cases.

    Args:
      name: name of the target.
      src: the file with the tests.
      deps: what it imports, besides pytest.
      data: what it reads.
      **kwargs: what every test rule takes (`size`, `shard_count`, `tags`, ...).
    """
    py_test(
        name = name,
        srcs = [src, _RUNNER],
        main = _RUNNER,
        args = ["$(rootpath %s)" % src],
        data = data + ["@edgetpu_python//:interpreter.txt", "//:pyproject.toml"],
        deps = deps + ["@edgetpu_pip_test//pytest"],
        **kwargs
    )

def pytest_files(srcs, deps = [], data = [], shards = {}):
    """Declares one `pytest_test` for each file, named after its path.

    Files that end in `_full.py` are tagged "full" and run with `--config=full` only.

    Args:
      srcs: the files.
      deps: what any of them imports.
      data: what any of them reads; on top each gets the other files of its own folder.
      shards: {target name: number of shards} for the longest ones.
    """
    for src in srcs:
        name = src[:-len(".py")]
        folder = src.rpartition("/")[0]
        is_full = name.endswith("_full")
        pytest_test(
            name = name,
            src = src,
            size = "large" if is_full else "medium",
            data = data + native.glob(
                [folder + "/**"] if folder else [],
                exclude = [src, "**/*.pyc", "**/__pycache__/**"],
                allow_empty = True,
            ),
            shard_count = shards.get(name),
            tags = ["full"] if is_full else [],
            deps = deps,
        )
