"""Poses recorded on a device: the emulated programs reproduce them to every digit printed.

The recordings come with the models (`*_edgetpu_reference.csv`). 353x481 is the exception: there
the recording does not fit the model beside it either (see docs/emulator.md, "Accuracy").
"""

from __future__ import annotations

import csv

import numpy as np
import pytest
from flatbuffers import flexbuffers

from compiler.emulator.images import read_image, resized
from compiler.emulator.model import CompiledModel
from tests.corpus_paths import require_corpus
from tests.emulator.poses import Decoder, F, Options

DIGITS = 2e-6
FOLDER = "google-coral+test_data/posenet"


def decode(name, rows, columns):
    folder = require_corpus() / FOLDER
    model = CompiledModel(folder / f"{name}_16_quant_decoder_edgetpu.tflite")
    image = resized(read_image(folder / "test_image.bmp"), rows, columns)
    (input_name,) = model.inputs()
    result = model.run({input_name: image[None]}, partial=True)
    op = next(op for op in model.graph.operators if op.custom_code == "PosenetDecoderOp")
    fields = flexbuffers.GetRoot(bytearray(op.custom_options)).AsMap
    options = Options(
        *(fields[n].Value for n in ("max_detections", "score_threshold", "stride", "nms_radius"))
    )
    maps = []
    for index, divisor in zip(op.inputs[:3], (1, options.stride, options.stride), strict=True):
        tensor = model.graph.tensors[index]
        scale = F(tensor.quantization.scales[0])
        scale = scale if divisor == 1 else F(scale * F(1 / divisor))
        codes = result.tensors[tensor.name][0].astype(F)
        maps.append(((codes - F(tensor.quantization.zero_points[0])) * scale).astype(F))
    poses = Decoder(*maps, options).decode()
    with (folder / f"{name}_16_quant_decoder_edgetpu_reference.csv").open() as file:
        recorded = list(csv.DictReader(file))
    return poses, recorded, np.array([rows, columns], F)


def equal(poses, recorded, size):
    """(coordinates equal, scores equal, keypoints recorded)."""
    coordinates = scores = 0
    for row in recorded:
        pose, keypoint = poses[int(row["pose_id"])], int(row["keypoint_id"])
        y, x = pose.points[keypoint] / size
        coordinates += int(abs(x - float(row["keypoint_x"])) < DIGITS)
        coordinates += int(abs(y - float(row["keypoint_y"])) < DIGITS)
        scores += int(abs(pose.scores[keypoint] - float(row["keypoint_score"])) < DIGITS)
        if keypoint == 0:
            assert abs(pose.score - float(row["pose_score"])) < 1e-2
    return coordinates, scores, len(recorded)


@pytest.mark.parametrize(
    ("name", "rows", "columns"),
    [
        ("bodypix_mobilenet_v1_075_512_512", 512, 512),
        ("posenet_mobilenet_v1_075_721_1281", 721, 1281),
    ],
)
def test_recorded_poses(name, rows, columns):
    assert equal(*decode(name, rows, columns)) == (68, 34, 34)


def test_recording_of_another_build():
    coordinates, scores, count = equal(*decode("posenet_mobilenet_v1_075_353_481", 353, 481))
    assert (coordinates, scores, count) == (62, 1, 34)
