"""edgetpu.yaml: the models of a project, how they are compiled, tested and packed.

`reader.read_config` gives a checked `Config`. One table of fields (`fields.py`) is behind the
reader, its messages, the JSON Schema and the reference page docs/edgetpu_yaml.md.
"""
