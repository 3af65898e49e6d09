"""`headroom doctor`: all that a start would stumble over, looked at at once and changed nowhere."""
