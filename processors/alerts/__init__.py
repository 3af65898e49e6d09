"""Alerts: which rules there are, and which of them a frame crosses; pure."""
