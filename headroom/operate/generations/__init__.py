"""Generations: the tables and topics of one run of the agents; one of them is the live one."""

from headroom.operate.generations.book import Book, read_book, read_what_is_left, write
from headroom.operate.generations.kind import (
    FIRST,
    Generation,
    Live,
    Mapped,
    app_name,
    check_name,
    kept_of,
    names_of,
    read_by,
    tables_of,
    topics_of,
)

__all__ = [
    "FIRST",
    "Book",
    "Generation",
    "Live",
    "Mapped",
    "app_name",
    "check_name",
    "kept_of",
    "names_of",
    "read_book",
    "read_by",
    "read_what_is_left",
    "tables_of",
    "topics_of",
    "write",
]
