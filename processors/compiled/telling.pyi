# Nothing for Python: the compiled fold calls it.
