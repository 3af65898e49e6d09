"""The questions: every worker answers for every user, or says that it cannot yet."""
