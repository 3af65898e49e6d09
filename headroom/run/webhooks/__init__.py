"""Alerts carried to a receiver over HTTP: a program of its own, which no agent waits for."""
