"""Stock Faust and our engine under the same faults, judged by an observer who reads Kafka alone.

`rows.py` holds the table of faults, `test_rows.py` asserts it, `python -m tests.engine.stock`
prints it. Both sides run the agents of `jobs.py`, in processes of their own.
"""
