"""What is true of the books; pure."""
