#!/usr/bin/env python3
"""Writes a terminal's screen, as `tmux capture-pane -e -p` prints it, from stdin to stdout as SVG."""
import re, sys
from html import escape

COLOURS = {1: "#e06c60", 2: "#6cc070", 3: "#e0b050", 6: "#58b8c8", 9: "#ff6b5e", 10: "#7ad67f", 11: "#f2c55c", 14: "#6fd3e3"}
INK, GROUND, WIDE, HIGH = "#d8dee4", "#14181d", 8, 17

lines = sys.stdin.read().rstrip("\n").split("\n")
columns, body = 100, []
colour, bold, dim, reverse = INK, False, False, False


def sgr(codes):
    global colour, bold, dim, reverse
    codes = [int(code or 0) for code in codes.split(";")]
    while codes:
        code = codes.pop(0)
        if code == 0:
            colour, bold, dim, reverse = INK, False, False, False
        elif code in (1, 2, 7):
            bold, dim, reverse = bold or code == 1, dim or code == 2, reverse or code == 7
        elif code == 38 and codes[:1] == [5]:
            colour = COLOURS.get(codes[1], INK)
            codes = codes[2:]
        elif 30 <= code < 38:
            colour = COLOURS.get(code - 30, INK)
        elif code == 39:
            colour = INK


for row, line in enumerate(lines):
    column, y = 0, (row + 1) * HIGH + 8
    for part in re.split(r"(\x1b\[[\d;]*m)", line):
        if part.startswith("\x1b"):
            sgr(part[2:-1])
            continue
        if not part:
            continue
        x, width, ink = 12 + column * WIDE, len(part) * WIDE, colour
        column += len(part)
        if reverse:
            body.append(f'<rect x="{x}" y="{y - HIGH + 4}" width="{width}" height="{HIGH}" fill="{INK}"/>')
            ink = GROUND
        style = ' font-weight="700"' * bold + ' opacity=".6"' * dim
        for word in re.finditer(r"\S+", part):
            at, wide = x + word.start() * WIDE, len(word.group()) * WIDE
            body.append(f'<text x="{at}" y="{y}" fill="{ink}" textLength="{wide}"{style}>{escape(word.group())}</text>')

width, height = columns * WIDE + 24, len(lines) * HIGH + 24
print(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
      f'role="img" aria-label="twinpath sender --live"><rect width="{width}" height="{height}" rx="6" fill="{GROUND}"/>'
      f'<g font-family="DejaVu Sans Mono,Menlo,Consolas,monospace" font-size="13">')
print("\n".join(body))
print("</g></svg>")
