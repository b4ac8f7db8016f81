"""Reads `model.tflite` (checked, hostile input) and writes the Graph level."""
