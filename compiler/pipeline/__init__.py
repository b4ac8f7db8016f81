"""Pipelines of several Edge TPUs: where to cut a model, and how long each segment takes."""
