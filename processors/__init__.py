"""Raw topic to tables and topics: normalisers, folds, the engine, the agents, the questions."""
