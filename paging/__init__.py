"""Much, a part at a time: pages that a caller asks for one by one, and slices between which others
have their turns. For every service; it knows none of them.
"""
