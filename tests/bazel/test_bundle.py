"""Bundles: what is in them, and that nothing of the machine is."""

import hashlib
import json
import tarfile
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent
NAMES = [
    "deep_segment_0_of_2_edgetpu.tflite",
    "deep_segment_1_of_2_edgetpu.tflite",
    "models.json",
    "plain_edgetpu.tflite",
    "plain_member_edgetpu.tflite",
    "plain_other_member_edgetpu.tflite",
]

pytestmark = pytest.mark.skipif(
    not (FOLDER / "bundle_tar.tar").exists(), reason="built by Bazel only"
)


@pytest.fixture(scope="module")
def packed():
    with tarfile.open(FOLDER / "bundle_tar.tar") as archive:
        members = archive.getmembers()
        files = {m.name: archive.extractfile(m).read() for m in members if m.isfile()}
    return members, files


def test_members_are_sorted_and_anonymous(packed):
    members, _ = packed
    assert [member.name for member in members] == [
        *("lib", "lib/models"),
        *(f"lib/models/{name}" for name in NAMES),
    ]
    for member in members:
        assert (member.mtime, member.uid, member.gid, member.uname, member.gname) == (
            0,
            0,
            0,
            "",
            "",
        )
        assert member.mode == (0o644 if member.isfile() else 0o755)


def test_directory_has_the_same_files(packed):
    _, files = packed
    folder = FOLDER / "bundle_directory"
    found = {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }
    assert found == files


def test_models_are_those_of_their_targets(packed):
    built = (FOLDER / "plain_edgetpu.tflite").read_bytes()
    assert packed[1]["lib/models/plain_edgetpu.tflite"] == built


def test_manifest(packed):
    _, files = packed
    manifest = json.loads(files["lib/models/models.json"])
    assert manifest["format"] == 1
    for model in manifest["models"]:
        data = files[f"lib/models/{model['file']}"]
        assert model["bytes"] == len(data)
        assert model["sha256"] == hashlib.sha256(data).hexdigest()
        assert model["min_runtime_version"] is None
    places = [
        {k: m[k] for k in ("group", "pipeline", "segment") if k in m} for m in manifest["models"]
    ]
    assert places == [
        {},
        {"group": "plain_group"},
        {"group": "plain_group"},
        {"pipeline": "plain_pipeline", "segment": 0},
        {"pipeline": "plain_pipeline", "segment": 1},
    ]
    tokens = [model["caching_token"] for model in manifest["models"]]
    assert tokens[1] == tokens[2] != tokens[3] == tokens[4]
