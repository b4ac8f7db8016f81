"""The line that CI closes with counts what was run, and never hides a failure."""

import pytest

from tests.private.count_results import main

PASS = '<testcase name="a"/>'
FAIL = '<testcase name="b"><failure message="no"/></testcase>'
ERROR = '<testcase name="c"><error message="no"/></testcase>'
SKIP = '<testcase name="d"><skipped/></testcase>'


def _report(testlogs, target, *cases):
    folder = testlogs / target
    folder.mkdir(parents=True)
    suite = f"<testsuites><testsuite>{''.join(cases)}</testsuite></testsuites>"
    (folder / "test.xml").write_text(suite)


@pytest.mark.parametrize(
    ("bazel_status", "cases", "expected"),
    [
        (0, [PASS, PASS], ("2 passed, 0 failed", 0)),
        (0, [PASS, SKIP], ("1 passed, 0 failed, 1 skipped", 0)),
        (3, [PASS, FAIL, ERROR], ("1 passed, 2 failed", 1)),
        (1, [PASS], ("1 passed, 1 failed", 1)),
        (0, [SKIP], ("0 passed, 0 failed, 1 skipped", 1)),
    ],
)
def test_one_target(tmp_path, capsys, bazel_status, cases, expected):
    _report(tmp_path, "tests/emit/test_x", *cases)
    status = main([str(bazel_status), str(tmp_path), "//tests:emit/test_x"])
    assert (capsys.readouterr().out.strip(), status) == expected


def test_shards_add_up(tmp_path, capsys):
    _report(tmp_path, "tests/t/shard_1_of_2", PASS)
    _report(tmp_path, "tests/t/shard_2_of_2", PASS, PASS)
    assert main(["0", str(tmp_path), "//tests:t"]) == 0
    assert capsys.readouterr().out.strip() == "3 passed, 0 failed"


def test_target_without_a_report_has_failed(tmp_path, capsys):
    _report(tmp_path, "tests/t", PASS)
    assert main(["1", str(tmp_path), "//tests:t", "//tests:not_built"]) == 1
    assert capsys.readouterr().out.strip() == "1 passed, 1 failed"


def test_broken_report_has_failed(tmp_path, capsys):
    _report(tmp_path, "tests/t", "<testcase")
    assert main(["0", str(tmp_path), "//tests:t"]) == 1
    assert capsys.readouterr().out.strip() == "0 passed, 1 failed"
