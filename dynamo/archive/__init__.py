"""The archive: a run file over a range of time, each window of its files a run, many at once through one warm engine.

Enters: a run file and a range. Leaves: the products of every window that a watch would have made of these files, and
an account of what is missing. What was done is done once: an index of windows says so, content keys decide. Goes
wrong: a range without data (`UserError`); a window that fails, which stops no other; the machine, which ends it all,
with what is done kept.
"""
