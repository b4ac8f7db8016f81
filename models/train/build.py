"""Trains the three example models and writes `models/*.tflite` and their accuracy.

Run from the repository root: `python -m models.train.build [detector|classifier|keyword]`.
Needs `pip install tensorflow`; takes some minutes on two cores.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from . import keywords, shapes
from .score import classification_accuracy, detection_scores

FOLDER = Path(__file__).resolve().parent.parent
layers = keras.layers


def _block(x: Any, channels: int, stride: int = 1) -> Any:
    """Depthwise 3x3 and pointwise convolution, each with batch norm and ReLU6."""
    x = layers.DepthwiseConv2D(3, stride, "same", use_bias=False)(x)
    x = layers.ReLU(6.0)(layers.BatchNormalization()(x))
    x = layers.Conv2D(channels, 1, use_bias=False)(x)
    return layers.ReLU(6.0)(layers.BatchNormalization()(x))


def _backbone(shape: tuple[int, int, int], plan: list[tuple[int, int]], stem: int) -> Any:
    image = keras.Input(shape, batch_size=None)
    x = layers.Conv2D(stem, 3, 2, "same", use_bias=False)(image)
    x = layers.ReLU(6.0)(layers.BatchNormalization()(x))
    for channels, stride in plan:
        x = _block(x, channels, stride)
    return image, x


def detector_model() -> Any:
    """Grid detector: 12 x 12 cells of objectness, three classes and a box."""
    plan = [(32, 1), (64, 2), (64, 1), (128, 2), (128, 1), (128, 1), (128, 1)]
    image, x = _backbone((96, 96, 3), plan, 16)
    return keras.Model(image, layers.Conv2D(8, 1)(x))


def classifier_model() -> Any:
    """Ten shapes, with a global pool and SOFTMAX."""
    plan = [(32, 1), (64, 2), (64, 1), (128, 2), (128, 1), (192, 2), (192, 1)]
    image, x = _backbone((64, 64, 3), plan, 16)
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(image, layers.Dense(len(shapes.CLASSIFIER_CLASSES), activation="softmax")(x))


def keyword_model() -> Any:
    """Eight words from a spectrogram."""
    image, x = _backbone((48, 40, 1), [(32, 1), (64, 2), (64, 1), (128, 2), (128, 1)], 16)
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(image, layers.Dense(len(keywords.WORDS), activation="softmax")(x))


def detector_loss(target: Any, output: Any) -> Any:
    """Objectness and class by cross entropy, the box by squared error where there is one."""
    present = target[..., 0]
    weight = 1 + 6 * present
    objectness = tf.nn.sigmoid_cross_entropy_with_logits(present, output[..., 0])
    classes = tf.nn.softmax_cross_entropy_with_logits(target[..., 1:4], output[..., 1:4])
    box = tf.reduce_sum(tf.square(target[..., 4:] - output[..., 4:]), -1)
    return tf.reduce_mean(weight * objectness + present * (classes + 4 * box)) * 10


def quantise(model: Any, images: np.ndarray) -> bytes:
    """Full int8 post-training quantisation with int8 input and output, batch 1."""
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([image[None]] for image in images)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    return bytes(converter.convert())


def _train(model: Any, data: Any, loss: Any, epochs: int) -> None:
    steps = epochs * -(-len(data[0]) // 64)
    rate = keras.optimizers.schedules.CosineDecay(3e-3, steps)
    model.compile(keras.optimizers.Adam(rate), loss)
    model.fit(*data, batch_size=64, epochs=epochs, verbose=2)


def _fixed_batch(model: Any) -> Any:
    """The same model for batches of one, as the Edge TPU runs them."""
    image = keras.Input(model.input_shape[1:], batch_size=1)
    return keras.Model(image, model(image))


RECIPES: dict[
    str, tuple[Callable[[], Any], Any, Any, int, int, Callable[..., dict[str, float]]]
] = {
    "detector": (detector_model, shapes.detector_data, detector_loss, 12000, 30, detection_scores),
    "classifier": (
        classifier_model,
        shapes.classifier_data,
        "sparse_categorical_crossentropy",
        10000,
        20,
        classification_accuracy,
    ),
    "keyword": (
        keyword_model,
        keywords.keyword_data,
        "sparse_categorical_crossentropy",
        10000,
        20,
        classification_accuracy,
    ),
}


def build(name: str) -> None:
    """Train, quantise, write and score one model."""
    make, data, loss, count, epochs, score = RECIPES[name]
    keras.utils.set_random_seed(1)
    model = make()
    train = data(seed=1, count=count)
    _train(model, train, loss, epochs)
    flat = quantise(_fixed_batch(model), train[0][:200])
    (FOLDER / f"{name}.tflite").write_bytes(flat)
    test = data(seed=2, count=1000)
    report = {"bytes": len(flat), "float": score(model.predict(test[0], verbose=0), test[1])}
    report["int8"] = score(run_int8(flat, test[0]), test[1])
    print(name, json.dumps(report))


def run_int8(model: bytes, images: np.ndarray) -> np.ndarray:
    """Dequantised outputs of the int8 model on TFLite's interpreter."""
    interpreter = tf.lite.Interpreter(model_content=model)
    interpreter.allocate_tensors()
    source, result = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    scale, zero = source["quantization"]
    out_scale, out_zero = result["quantization"]
    outputs = []
    for image in images:
        value = np.rint(image / scale + zero).clip(-128, 127).astype(np.int8)
        interpreter.set_tensor(source["index"], value[None])
        interpreter.invoke()
        outputs.append(interpreter.get_tensor(result["index"])[0].astype(np.float32))
    return (np.stack(outputs) - out_zero) * out_scale


if __name__ == "__main__":
    for each in sys.argv[1:] or list(RECIPES):
        build(each)
