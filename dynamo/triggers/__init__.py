"""Triggers: what turns an arrival (a file, the clock) into a run.

Enters: files that are seen whole, and the time. Leaves: windows that are complete or timed out, which are run,
queued, or passed over, each by a rule. Decisions are pure; only `files` and `whole` watch a disk, and only `store`
writes. Goes wrong: a folder that cannot be read (`UserError`); one that is not there yet is waited for.
"""
