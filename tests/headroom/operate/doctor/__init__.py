"""`headroom doctor`, part by part."""
