"""The colours of drawings and reports, for light and for dark screens, and style sheets made with them."""

from __future__ import annotations

from importlib.resources import files
from string import Template

__all__ = ["DARK", "LIGHT", "STATES", "STEPS", "style"]

LIGHT = {
    "page": "#f5f7f9",
    "card": "#ffffff",
    "ink": "#16212b",
    "muted": "#566573",
    "line": "#d5dce3",
    "edge": "#8695a3",
    "frame": "#eef3f7",
    "accent": "#0b6bb0",
    "source": "#fff8e6",
    "sourceline": "#d9b95b",
    "shade": "#eef1f4",
    "done": "#17744b",
    "reused": "#3a66b0",
    "failed": "#bf2133",
    "blocked": "#8f5707",
    "running": "#0b6bb0",
    "waiting": "#77848f",
    "badcard": "#fdf1f2",
}
DARK = {
    "page": "#10161c",
    "card": "#1a232c",
    "ink": "#e8eef3",
    "muted": "#a3b1bd",
    "line": "#34414d",
    "edge": "#74879a",
    "frame": "#141c24",
    "accent": "#6cb6f0",
    "source": "#2b2617",
    "sourceline": "#8a7433",
    "shade": "#232e38",
    "done": "#3fbf86",
    "reused": "#7ea6e8",
    "failed": "#ff7381",
    "blocked": "#e2a448",
    "running": "#6cb6f0",
    "waiting": "#8b99a6",
    "badcard": "#2b1a1e",
}
#: States of tasks in the order in which they are told.
STATES = ("failed", "blocked", "running", "done", "reused", "waiting")
#: One for each of the steps that took longest; apart also for people who do not tell red from green, and all
#: readable on both backgrounds. The last is for all other steps.
STEPS = ("#3987c9", "#e0892b", "#2aa38b", "#9a6bd0", "#c9618f", "#8f9a2e", "#4fb3d4", "#b07a4b", "#8a98a5")


def style(*names: str) -> str:
    """Return style sheets of this package with the colours filled in, light and, where wanted, dark."""
    texts = [(files("dynamo.report") / f"{name}.css").read_text(encoding="utf-8") for name in names]
    steps = {f"step{i}": colour for i, colour in enumerate(STEPS)}
    made = []
    for text in texts:
        whole, _, coloured = text.partition("/* colours */\n")
        light, dark = (Template(coloured).substitute(scheme, **steps) for scheme in (LIGHT, DARK))
        made.append(f"{whole}{light}@media (prefers-color-scheme: dark) {{\n{dark}}}\n")
    return "".join(made)
