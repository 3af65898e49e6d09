"""A Faust that loses nothing: batches in, rows and sends out, commits after acknowledgements.

Knows nothing of balances. See README.md in this folder.
"""

from processors.engine.app import EngineApp, EngineSettings
from processors.engine.batch import Batch, Record
from processors.engine.errors import EngineError
from processors.engine.table import Table

__all__ = ["Batch", "EngineApp", "EngineError", "EngineSettings", "Record", "Table"]
