"""The files a compilation leaves: the outer .tflite, the .log, and how they are written."""
