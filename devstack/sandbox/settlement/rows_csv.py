"""Writes rows of CSV as bytes, one at a time, so that a large file is never built twice."""

import csv
import io
from collections.abc import Iterable, Sequence


class CsvLines:
    """Turns fields into lines.

    Args:
        quotes_text: texts in double quotes and numbers without; else quotes only where needed.
        ending: of each line.
    """

    def __init__(self, *, quotes_text: bool = False, ending: str = "\n") -> None:
        self._text = io.StringIO()
        self._writer = csv.writer(
            self._text,
            lineterminator=ending,
            quoting=csv.QUOTE_NONNUMERIC if quotes_text else csv.QUOTE_MINIMAL,
        )

    def line(self, fields: Iterable[str | int]) -> bytes:
        """Write one row."""
        self._writer.writerow(fields)
        written = self._text.getvalue()
        self._text.seek(0)
        self._text.truncate()
        return written.encode()


def blanks(count: int) -> Sequence[str]:
    """Give so many empty fields."""
    return ("",) * count
