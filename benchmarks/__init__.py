"""Ours and its peers side by side, before registries at a distance; `python3 benchmarks/run.py`."""
