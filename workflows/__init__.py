"""Workflows that come with dynamo, each a folder: ``workflow.py``, a run file, and a README.

They are written as a user would write one: tasks over files, whose science is in `dynamo.radar`.
"""
