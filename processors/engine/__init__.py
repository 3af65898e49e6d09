"""A Faust that loses nothing: batches in, rows and sends out, commits after acknowledgements.

Knows nothing of balances. See README.md in this folder. Nothing is imported here: who needs
`errors` or `marks` alone must not wait for Faust.
"""
