"""A graph compiled for another engine: HTCondor DAGMan, Pegasus, WfFormat.

Enters: a graph, what of it shares a job, the images that tasks name. Leaves: a folder with all that the other engine
needs, users' own modules included. Goes wrong: `UserError` for what that engine cannot run.
"""
