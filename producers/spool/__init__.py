"""Frames on disk between a venue's socket and Kafka. See docs/decisions/0018-the-spool.md.

records.py    what is kept of a frame, and groups of frames
disk.py       groups in a file: SQLite, in WAL mode, each commit on disk before it counts
folder.py     a venue's folder: whose it is, what is refused, set aside, saved
memory.py     the same groups in memory, for as long as the disk takes nothing
overflow.py   which frames go first where there are too many; pure
spool.py      all of them together
courier.py    the thread that writes, sends, reads back and forgets
"""
