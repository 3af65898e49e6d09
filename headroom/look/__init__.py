"""What a person looks at: live balances, a question, where a number comes from."""
