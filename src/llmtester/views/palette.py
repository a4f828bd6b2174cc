"""The colours of the report, light and dark, and which pairs of them meet on the page.

One accent carries the recommendation; greys carry the rest; a rating always has a word and a shape beside its colour.
``PAIRS`` is what the contrast test checks: 4.5:1 for text, 3:1 for marks (WCAG 2.2, 1.4.3 and 1.4.11).
"""

from __future__ import annotations

from collections.abc import Mapping

COLOURS: Mapping[str, tuple[str, str]] = {
    "page": ("#faf9f6", "#131518"),
    "surface": ("#ffffff", "#1a1d21"),
    "sunken": ("#f3f1ec", "#22262b"),
    "ink": ("#1b1d20", "#eeece7"),
    "muted": ("#5a5e66", "#a9aeb6"),
    "line": ("#e4e1da", "#32373e"),
    "mark": ("#868a91", "#7d838c"),
    "accent": ("#0a6a60", "#63cfbe"),
    "accent-soft": ("#e0f0ed", "#14332f"),
    "good": ("#14693c", "#7ad49c"),
    "fair": ("#7a5200", "#e6b95a"),
    "poor": ("#b1271b", "#ff9a8f"),
    "heat-1": ("#eef4f2", "#1c2526"),
    "heat-2": ("#d3e8e4", "#1a3533"),
    "heat-3": ("#aed6cf", "#1b4743"),
    "heat-4": ("#83c0b6", "#1c5a54"),
    "heat-5": ("#58a89c", "#1e6e66"),
}

TEXT_RATIO = 4.5
MARK_RATIO = 3.0

PAIRS: tuple[tuple[str, str, float], ...] = (
    *((text, ground, TEXT_RATIO) for text in ("ink", "muted", "accent") for ground in ("page", "surface", "sunken")),
    *((text, ground, TEXT_RATIO) for text in ("good", "fair", "poor") for ground in ("page", "surface", "sunken")),
    ("accent", "accent-soft", TEXT_RATIO),
    ("ink", "accent-soft", TEXT_RATIO),
    ("muted", "accent-soft", TEXT_RATIO),
    *(("ink", f"heat-{level}", TEXT_RATIO) for level in range(1, 6)),
    ("page", "accent", TEXT_RATIO),
    *((mark, ground, MARK_RATIO) for mark in ("mark", "accent") for ground in ("page", "surface")),
)


def contrast(first: str, second: str) -> float:
    """The contrast ratio, 1 to 21, of two colours ``#rrggbb`` (WCAG 2.2, definition of contrast ratio)."""
    lighter, darker = sorted((_luminance(first), _luminance(second)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    channels = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
    red, green, blue = (
        channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4 for channel in channels
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def css() -> str:
    """The colours as custom properties. They follow the system, or ``data-theme`` on the root; print is light."""
    plain = "".join(f"--{name}:{light};" for name, (light, _) in COLOURS.items())
    both = "".join(f"--{name}:light-dark({light},{dark});" for name, (light, dark) in COLOURS.items())
    return (
        f":root{{color-scheme:light dark;{plain}}}\n"
        f"@supports (color:light-dark(#000,#fff)){{:root{{{both}}}}}\n"
        ":root[data-theme=light]{color-scheme:light}\n"
        ":root[data-theme=dark]{color-scheme:dark}\n"
        "@media print{:root,:root[data-theme]{color-scheme:light}}\n"
    )
