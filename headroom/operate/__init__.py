"""What an operator does: topics, tokens, rules, accounts, replays, dead letters, going on."""
