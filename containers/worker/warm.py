"""Do once, while an image is built, what would else be done at first use in each container."""

from __future__ import annotations

from importlib.util import find_spec

if find_spec("numba"):
    from dynamo.alerts.match import warm
    from dynamo.radar.warm import warm as warm_radar

    warm()
    warm_radar()
if find_spec("matplotlib"):
    import matplotlib.font_manager  # noqa: F401 - it looks for fonts, and keeps what it found
