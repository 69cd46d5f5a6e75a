"""The YAML of the registry of radars: text in, `Radar` out, every fault with file, line and column."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from importlib import resources
from pathlib import Path
from typing import Any, NoReturn, TypeAlias

from dynamo.errors import Place, UserError, nearest
from dynamo.radar.registry import BANDS, Radar

__all__ = ["read_radars", "shipped_radars"]

Node: TypeAlias = Any  # of PyYAML: a scalar, a sequence or a mapping, as its `id` says
LIMIT = 1 << 20  # bytes


@lru_cache(maxsize=1)
def shipped_radars() -> tuple[Radar, ...]:
    """Return the radars that come with dynamo."""
    text = resources.files("dynamo.radar").joinpath("radars.yaml").read_text(encoding="utf-8")
    return _radars(text, "radars.yaml")


def read_radars(path: Path) -> tuple[Radar, ...]:
    """Return the radars of a file.

    Raises
    ------
    UserError
        The file cannot be read, or does not fit.
    """
    try:
        raw = path.read_bytes()
        text = raw.decode("utf-8")
    except OSError as error:
        raise UserError(f"the registry of radars {str(path)!r} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UserError(f"the registry of radars {str(path)!r} is not text in UTF-8") from error
    if len(raw) > LIMIT:
        raise UserError(f"the registry of radars {str(path)!r} is larger than {LIMIT >> 20} MiB")
    return _radars(text, str(path))


def _radars(text: str, file: str) -> tuple[Radar, ...]:
    import yaml

    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = Place(file, mark.line + 1, mark.column + 1) if mark else Place(file)
        raise UserError(f"is not YAML: {error.problem}", place=place) from error
    except (yaml.YAMLError, RecursionError) as error:
        raise UserError(f"is not YAML: {error}", place=Place(file)) from error
    if root is None:
        raise UserError("holds nothing; expected 'radars:'", place=Place(file))
    top = _mapping(root, file, "the registry", {"radars"})
    if "radars" not in top:
        _fail(root, file, "has no 'radars:'")
    entries = _mapping(top["radars"], file, "'radars'")
    return tuple(_radar(name, node, file) for name, node in entries.items())


def _fail(node: Node, file: str, what: str) -> NoReturn:
    raise UserError(what, place=Place(file, node.start_mark.line + 1, node.start_mark.column + 1))


def _mapping(node: Node, file: str, what: str, allowed: set[str] | None = None) -> dict[str, Node]:
    """Return the keys and values of a mapping whose keys are texts, each once, of those allowed."""
    if node.id != "mapping":
        _fail(node, file, f"{what} must be a mapping of names to values")
    found: dict[str, Node] = {}
    for key, value in node.value:
        if key.id != "scalar":
            _fail(key, file, f"a key of {what} must be a text")
        if key.value in found:
            _fail(key, file, f"{key.value!r} is there twice in {what}")
        if allowed is not None and key.value not in allowed:
            known = ", ".join(sorted(allowed))
            _fail(
                key, file, f"{what} has no key {key.value!r}{nearest(key.value, allowed)}; there are: {known}"
            )
        found[key.value] = value
    return found


def _radar(name: str, node: Node, file: str) -> Radar:
    what = f"radar {name!r}"
    keys = _mapping(node, file, what, {*READ, "calibration"})
    if "band" not in keys:
        _fail(node, file, f"{what} has no 'band'")
    values: dict[str, Any] = {
        key: READ[key](value, file, f"{key} of {what}") for key, value in keys.items() if key in READ
    }
    if "calibration" in keys:
        inside = f"calibration of {what}"
        offsets = _mapping(keys["calibration"], file, inside, {"reflectivity", "differential_reflectivity"})
        for moment, value in offsets.items():
            values[f"{moment}_offset"] = _number(
                value, file, f"{moment} in {inside}", low=-30, high=30, unit="dB"
            )
    return Radar(name, **values)


def _text(node: Node, file: str, what: str) -> str:
    if node.id != "scalar" or not node.value.strip():
        _fail(node, file, f"{what} must be a text")
    return str(node.value)


def _number(node: Node, file: str, what: str, *, low: float, high: float, unit: str) -> float:
    try:
        value = float(_text(node, file, what))
    except ValueError:
        value = float("nan")
    if not low <= value <= high:
        _fail(node, file, f"{what} must be a number of {unit} from {low:g} to {high:g}")
    return value


def _band(node: Node, file: str, what: str) -> str:
    value = _text(node, file, what)
    if value not in BANDS:
        _fail(node, file, f"{what} is {value!r}, must be {', '.join(BANDS)}")
    return value


def _scheme(node: Node, file: str, what: str) -> str:
    from dynamo.radar.scheme import schemes

    value = _text(node, file, what)
    if value not in (known := schemes()):
        _fail(node, file, f"{what} is {value!r}{nearest(value, known)}; there are: {', '.join(known)}")
    return value


def _yes(node: Node, file: str, what: str) -> bool:
    value = _text(node, file, what)
    if value not in ("true", "false"):
        _fail(node, file, f"{what} is {value!r}, must be true or false")
    return value == "true"


def _items(node: Node, file: str, what: str) -> list[Node]:
    if node.id != "sequence" or not node.value:
        _fail(node, file, f"{what} must be a list")
    return list(node.value)


def _names(node: Node, file: str, what: str) -> tuple[str, ...]:
    return tuple(_text(item, file, f"each of the {what}") for item in _items(node, file, what))


def _site(node: Node, file: str, what: str) -> tuple[float, float]:
    items = _items(node, file, what)
    if len(items) != 2:
        _fail(node, file, f"{what} must be a list of two: latitude and longitude")
    latitude = _number(items[0], file, f"the latitude in the {what}", low=-90, high=90, unit="degrees")
    return latitude, _number(
        items[1], file, f"the longitude in the {what}", low=-180, high=180, unit="degrees"
    )


def _elevations(node: Node, file: str, what: str) -> tuple[float, ...]:
    each = f"each of the {what}"
    found = [_number(i, file, each, low=-5, high=90, unit="degrees") for i in _items(node, file, what)]
    if found != sorted(set(found)):
        _fail(node, file, f"{what} must rise")
    return tuple(found)


READ: Mapping[str, Callable[[Node, str, str], Any]] = {
    "band": _band,
    "names": _names,
    "site": _site,
    "system_phase": partial(_number, low=-360, high=360, unit="degrees"),
    "nyquist": partial(_number, low=1, high=200, unit="m/s"),
    "elevations": _elevations,
    "every": partial(_number, low=1, high=86_400, unit="seconds"),
    "scheme": _scheme,
    "wavelength_needed": _yes,
}
