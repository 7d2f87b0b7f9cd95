"""What the faces of PSPs that speak JSON share: how a call is answered, kept and found again."""
