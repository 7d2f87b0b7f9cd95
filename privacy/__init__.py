"""What must not come in and must not get out: card numbers, and values that no log may show. It
stands below the chassis and knows nothing of either.
"""
