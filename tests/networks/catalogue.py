"""The public networks that are compiled, each at a small size and as it is published."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from .detection import (
    efficientdet_lite0,
    ssd_mobilenet_v1,
    ssd_mobilenet_v2,
    ssdlite_mobiledet,
    yolov5,
)
from .inception import inception_v1, inception_v2, inception_v3, inception_v4
from .mobile import (
    efficientnet_edgetpu,
    mobilenet_edgetpu,
    mobilenet_v2,
    mobilenet_v2_keras,
    mobilenet_v3_minimalistic,
)
from .residual import densenet_121, resnet_50_keras, resnet_50_slim, vgg_16
from .segmentation import deeplab_v3, unet_mobilenet_v2
from .small import autoencoder, ds_cnn, mobile_face_net


@dataclass(frozen=True)
class Network:
    """make: the .tflite file for a size of the image and a width; small, full: these. on_cpu:
    operators that may stay on the CPU of their own accord (others may follow them). published:
    Google's time of an inference, desktop and USB 3, in milliseconds (coral.ai, "Edge TPU
    performance benchmarks")."""

    name: str
    make: Callable[[int, float], bytes]
    small: tuple[int, float]
    full: tuple[int, float]
    on_cpu: frozenset[str] = frozenset()
    published: float | None = None

    def build(self, *, full: bool) -> bytes:
        return self.make(*(self.full if full else self.small))


_POSTPROCESSING = frozenset({"CUSTOM"})
_FLOAT_POSTPROCESSING = frozenset({"CUSTOM", "DEQUANTIZE"})
_EFFICIENTNET_M = partial(efficientnet_edgetpu, depth=1.1)
_EFFICIENTNET_L = partial(efficientnet_edgetpu, depth=1.4)

CLASSIFIERS = (
    Network("inception_v1", inception_v1, (64, 0.25), (224, 1.0), published=3.4),
    Network("inception_v2", inception_v2, (64, 0.25), (224, 1.0)),
    Network("inception_v3", inception_v3, (107, 0.125), (299, 1.0)),
    Network("inception_v4", inception_v4, (107, 0.125), (299, 1.0), published=85),
    Network("resnet_50_slim", resnet_50_slim, (64, 0.125), (224, 1.0)),
    Network("resnet_50_keras", resnet_50_keras, (64, 0.125), (224, 1.0)),
    Network("vgg_16", vgg_16, (64, 0.125), (224, 1.0), published=296),
    Network("densenet_121", densenet_121, (64, 0.125), (224, 1.0), published=20),
    Network("densenet_121_folded", partial(densenet_121, folded=True), (64, 0.125), (224, 1.0)),
)
MOBILE = (
    Network("mobilenet_v2", mobilenet_v2, (64, 0.25), (224, 1.0), published=2.6),
    Network("mobilenet_v2_keras", mobilenet_v2_keras, (64, 0.25), (224, 1.0)),
    Network("mobilenet_v3_minimalistic", mobilenet_v3_minimalistic, (64, 0.25), (224, 1.0)),
    Network("mobilenet_edgetpu", mobilenet_edgetpu, (64, 0.25), (224, 1.0)),
    Network("efficientnet_edgetpu_s", efficientnet_edgetpu, (48, 0.25), (224, 1.0), published=5.1),
    Network("efficientnet_edgetpu_m", _EFFICIENTNET_M, (56, 0.25), (240, 1.0), published=8.7),
    Network("efficientnet_edgetpu_l", _EFFICIENTNET_L, (60, 0.25), (300, 1.2), published=25.3),
    Network("mobile_face_net", mobile_face_net, (48, 0.25), (112, 1.0)),
    Network(
        "mobile_face_net_prelu",
        partial(mobile_face_net, prelu=True),
        (48, 0.25),
        (112, 1.0),
    ),
)
DETECTORS = (
    Network("ssd_mobilenet_v1", ssd_mobilenet_v1, (96, 0.25), (300, 1.0), _POSTPROCESSING, 6.5),
    Network("ssd_mobilenet_v2", ssd_mobilenet_v2, (96, 0.25), (300, 1.0), _POSTPROCESSING, 7.2),
    Network("ssdlite_mobiledet", ssdlite_mobiledet, (96, 0.25), (320, 1.0), _POSTPROCESSING),
    Network(
        "efficientdet_lite0", efficientdet_lite0, (64, 0.25), (320, 1.0), _FLOAT_POSTPROCESSING
    ),
    Network("yolov5n", yolov5, (64, 0.125), (320, 0.25)),
    Network("yolov5s", yolov5, (32, 0.25), (320, 0.5)),
)
OTHERS = (
    Network(
        "deeplab_v3",
        deeplab_v3,
        (65, 0.25),
        (513, 1.0),
        frozenset({"RESIZE_BILINEAR", "ARG_MAX"}),
        52,
    ),
    Network("unet_mobilenet_v2", unet_mobilenet_v2, (64, 0.25), (128, 1.0), published=3.3),
    Network(
        "unet_mobilenet_v2_resize", partial(unet_mobilenet_v2, resize=True), (64, 0.25), (128, 1.0)
    ),
    Network("ds_cnn", ds_cnn, (25, 0.25), (49, 1.0)),
    Network("autoencoder", autoencoder, (96, 0.25), (640, 1.0)),
)
NETWORKS = (*CLASSIFIERS, *MOBILE, *DETECTORS, *OTHERS)
