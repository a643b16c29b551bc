"""Figures with a column for each of several experiments: titles and rows that fit."""

from collections.abc import Sequence

from matplotlib.axes import Axes

_LINE_LENGTH = 100  # letters of a title that the width of a figure holds


def column_titles(columns: Sequence[Sequence[str]]) -> list[str]:
    """Return a title for each column, broken into lines that do not reach the next column.

    Args:
        columns: The parts of each title; a part ends at the same height in all columns.
    """
    width = _LINE_LENGTH // len(columns)
    parts = [[_lines(part, width) for part in column] for column in columns]
    heights = [max(map(len, same)) for same in zip(*parts, strict=True)]
    return [
        "\n".join(
            line
            for lines, height in zip(column, heights, strict=True)
            for line in [""] * (height - len(lines)) + lines
        )
        for column in parts
    ]


def number_rows(axes: Axes, count: int) -> None:
    """Number the first and the last row of a heatmap, where labels would not fit."""
    numbers = sorted({1, count})
    axes.set_yticks([number - 0.5 for number in numbers], [str(number) for number in numbers])
    axes.tick_params(axis="y", length=0)


def _lines(text: str, width: int) -> list[str]:
    """Break after spaces and underscores."""
    lines = [""]
    for word in text.replace("_", "_\0").replace(" ", " \0").split("\0"):
        if lines[-1] and len(lines[-1]) + len(word.rstrip()) > width:
            lines.append("")
        lines[-1] += word
    return [line.rstrip() for line in lines]
