"""Names that others chose, for a person's terminal: text and nothing else."""

from rich.text import Text


def printable(text: str) -> str:
    """The text, with a mark for all that a terminal would take for a command or a line's end."""
    return "".join(
        letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text
    )


def plain(text: str, *, style: str = "") -> Text:
    """The same for rich, which would read `[red]` in a bare string."""
    return Text(printable(text), style=style)
