"""Alerts as operators meet them: the rules file, and what it would tell of now."""
