"""The caching token depends on content and options, and on nothing else."""

from compiler.emit.token import caching_token


def test_equal_runs_share_the_token():
    assert caching_token([b"a", b"b"], "o") == caching_token([b"a", b"b"], "o")


def test_any_change_changes_the_token():
    tokens = {
        caching_token([b"a", b"b"], "o"),
        caching_token([b"b", b"a"], "o"),
        caching_token([b"ab"], "o"),
        caching_token([b"a", b"b"], "p"),
        caching_token([b"a"], "o"),
    }
    assert len(tokens) == 5
    assert all(0 < token < 1 << 64 for token in tokens)
