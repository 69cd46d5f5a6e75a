"""Triggers: what turns an arrival (a file, the clock) into a run.

Enters: files that are seen whole, and the time. Leaves: windows that are complete or timed out, which are run,
queued, or passed over, each by a rule. Decisions are pure functions; only `files` looks at a disk.
Goes wrong: a folder that is not there or cannot be read (`UserError`).
"""
