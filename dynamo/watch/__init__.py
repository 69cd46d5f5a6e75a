"""The watch: arrivals to runs to alerts, all day.

Enters: a run file with a trigger. Leaves: runs, their products, and deliveries of alerts; after a crash it goes on
where it was. Goes wrong: one run, which is told and does not stop the next; only a fault of the run file, the
workspace or the machine ends the watch.
"""
