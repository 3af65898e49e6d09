"""The readers of docs/consumers, as other teams would run them."""
