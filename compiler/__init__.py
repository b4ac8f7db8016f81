"""Open compiler for the Coral Edge TPU: quantised TensorFlow Lite in, Edge TPU code out."""

VERSION = "0.1.0"
