"""What is kept, and the leaderboard's queries."""
