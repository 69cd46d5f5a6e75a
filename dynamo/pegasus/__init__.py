"""The Pegasus engine: a graph is compiled, planned and submitted by the site's own `pegasus-plan`, and followed.

Enters: a `Request`. Leaves: products, a `Summary`, and the journal, but no results for reuse.
Goes wrong: `UserError` for what Pegasus cannot run; `InfrastructureError` where Pegasus is not installed, or fails.
"""
