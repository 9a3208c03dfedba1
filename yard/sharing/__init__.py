"""State that a team shares: where it is kept on AWS, and how a stack's state gets there."""
