"""What is true of an attempt, and what to do next for it; pure."""
