"""The compiler inside a build: one action at a time, in a process of its own or in a worker.

`protocol` is the framing of Bazel's persistent workers, `server` answers requests, `action`
compiles.
"""
