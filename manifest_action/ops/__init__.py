"""The steps of a run. Each is one function with one value in and one out; `run` is the only place that sees all."""
