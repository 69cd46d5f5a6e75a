"""Environment variables in the text of a run file: ``${NAME}`` and ``${NAME:-default}``."""

from __future__ import annotations

import re
from collections.abc import Mapping

from dynamo.errors import nearest

__all__ = ["expand"]

_REFERENCE = re.compile(r"\$\$\{|\$\{([^}]*)\}?")
_INSIDE = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?", re.DOTALL)


def expand(text: str, environment: Mapping[str, str]) -> str:
    """Return `text` with the references replaced; ``$${`` stands for a plain ``${``.

    A variable that is set but empty counts as unset where there is a default, as in a shell. What is put in
    is text and is not read as YAML again. Raises `ValueError` that names the variable which is unset.

    >>> expand("${RADAR_HOME:-/data}/in", {})
    '/data/in'
    """

    def replacement(match: re.Match[str]) -> str:
        if match[1] is None:
            return "${"
        inside = _INSIDE.fullmatch(match[1])
        if not inside or not match[0].endswith("}"):
            raise ValueError(
                f"{match[0]!r} is not a variable: write ${{NAME}} or ${{NAME:-default}}, "
                "or $${ for a plain ${"
            )
        name, default = inside.groups()
        value = environment.get(name)
        if default is not None:
            return value or default
        if value is None:
            raise ValueError(
                f"the environment variable {name} is not set{nearest(name, environment)}, "
                f"and there is no default (${{{name}:-...}})"
            )
        return value

    return _REFERENCE.sub(replacement, text)
