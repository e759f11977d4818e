"""Pages of which a tool writes the part between two marks."""

from pathlib import Path


class MarkedPart:
    """The part of a page between the lines ``<!-- NAME: begin -->`` and ``<!-- NAME: end -->``.

    Args:
        page: The page.
        name: What the marks are called.
    """

    def __init__(self, page: Path, name: str) -> None:
        self.page = page
        self.begin, self.end = (f'<!-- {name}: {end} -->' for end in ('begin', 'end'))

    def split(self) -> tuple[str, str]:
        """What stands before and behind the part, the marks included.

        Raises:
            FileNotFoundError: If there is no page.
            ValueError: If it has not both marks, in their order.
        """
        head, begin, rest = self.page.read_text(encoding='utf-8').partition(self.begin)
        _, end, tail = rest.partition(self.end)
        if not (begin and end):
            raise ValueError(
                f'{self.page} must have the lines "{self.begin}" and "{self.end}" around the part '
                'that is written'
            )
        return head + begin, end + tail

    def replaced(self, text: str) -> str:
        """The page with another text there, which stands on lines of its own.

        Raises:
            FileNotFoundError: If there is no page.
            ValueError: If it has not both marks, in their order.
        """
        head, tail = self.split()
        return f'{head}\n{text.rstrip()}\n{tail}'
