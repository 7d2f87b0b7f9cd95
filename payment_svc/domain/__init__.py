"""What is true of payments; pure."""
