"""The MLP and single calls as an engine's users write them by hand.

Each module has `epoch(x, y) -> run`, where `run()` trains one shuffled epoch in batches of 32
and waits; `predict(x) -> run`; `dense(x) -> (run, weights)` and `stack(x) -> run`.
"""
