"""What others have signed: see README.md."""
