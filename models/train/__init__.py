"""Training of the example models. Needs TensorFlow; the project itself does not."""
