"""``python -m dynamo.cli``: the same as the command ``dynamo``."""

from dynamo.cli import main

main()
