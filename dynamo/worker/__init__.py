"""What runs at the far end, and the only code that does: sandbox, run, report.

Enters: a `Job` (JSON): tasks with the paths of their inputs. Leaves: a `Report` for each task (JSON), its
outputs in the store under their digests, and its log.
Goes wrong: what the task does wrong is in its report; a worker that dies is seen by whoever started it.
"""
