"""The HTCondor engine: a plan is compiled to a DAG, submitted, followed, and its products and reports brought home.

Enters: a `Request`. Leaves: products, a `Summary`, and the journal, as the local engine leaves them.
Goes wrong: `InfrastructureError` where the pool, its scheduler or our token gives out, in words that say who must act.
"""
