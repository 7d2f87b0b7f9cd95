"""Page sizes: how many of a list one page has, whichever service lists."""

_DEFAULT, _MAX = 50, 500


def page_limit(page_size: int) -> int:
    """Tell how many a page has at most, as asked for: 0 means 50, more than 500 means 500."""
    return min(page_size or _DEFAULT, _MAX)
