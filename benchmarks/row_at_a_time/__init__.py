"""What the books are measured against: each transaction a database transaction of its own."""
