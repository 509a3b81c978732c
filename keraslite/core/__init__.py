"""The core: dtypes, trees, scopes, variables, symbolic tensors, operations and the graph."""
