"""Pages: where one of a list ended, for every service that lists. It knows none of them."""
