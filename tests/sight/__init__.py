"""What operators see: metrics, the rules over them, the runbook."""
