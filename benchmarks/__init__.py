"""Measurements: `python -m benchmarks.compile_time`. Results and method: docs/performance.md."""
