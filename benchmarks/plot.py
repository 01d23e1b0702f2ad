"""Horizontal bar charts as SVG."""

from collections.abc import Sequence
from xml.sax.saxutils import escape

LABELS, BARS, VALUES = 210, 440, 80
ROW, BAR, PANEL_HEAD, HEAD, GAP = 22, 16, 28, 44, 14
WIDTH = LABELS + BARS + VALUES

Panel = tuple[str, Sequence[tuple[str, float | None]]]


def bars(title: str, panels: Sequence[Panel], highlighted: str) -> str:
    """Draw panels of labelled bars below each other, from zero, each with its own scale.

    A value of None has no bar. The bars labelled `highlighted` have another colour.
    """
    body, y = [_text(16, 28, title, 'font-size="16" font-weight="bold"')], HEAD
    for name, values in panels:
        panel, y = _panel(name, values, highlighted, y)
        body += panel
    size = f'viewBox="0 0 {WIDTH} {y}" width="{WIDTH}" height="{y}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="system-ui, sans-serif" font-size="13">'
    return "\n".join([head, f'<rect width="{WIDTH}" height="{y}" fill="#fff"/>', *body, "</svg>\n"])


def _panel(name: str, values: Sequence[tuple[str, float | None]], highlighted: str, y: int) -> tuple[list[str], int]:
    """Draw a panel that begins at y, and return its elements and its end."""
    known = [(label, value) for label, value in values if value is not None]
    scale = BARS / max((value for _, value in known), default=1)
    elements = [_text(16, y + 18, name, 'font-size="14" font-weight="bold"')]
    y += PANEL_HEAD
    for label, value in known:
        colour = "#c2410c" if label == highlighted else "#64748b"
        width = round(value * scale)
        elements += [
            _text(LABELS - 8, y + 13, label, 'text-anchor="end"'),
            f'<rect x="{LABELS}" y="{y}" width="{width}" height="{BAR}" fill="{colour}"/>',
            _text(LABELS + width + 6, y + 13, f"{value:,.0f}"),
        ]
        y += ROW
    return elements, y + GAP


def _text(x: int, y: int, text: str, style: str = "") -> str:
    return f'<text x="{x}" y="{y}" fill="#0f172a" {style}>{escape(text)}</text>'
