"""Proof of fast: the same job in Headroom and in its peers, measured from outside."""
