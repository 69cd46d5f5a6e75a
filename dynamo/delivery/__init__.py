"""Delivery: alerts of the outbox, each on its way through one channel until it is answered or given up.

Enters: rows of the outbox, leased. Leaves: requests to endpoints, files, commands, mail; every try is in the journal.
Goes wrong: an endpoint, which delays nothing but itself; what cannot be delivered is kept with the reason.
"""
