"""Headroom on a cluster of three brokers behind TLS, passwords, certificates and rights."""
