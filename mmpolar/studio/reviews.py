"""Review pages of mined alarms in a project, whose decisions go into the file beside the page."""

import threading
from pathlib import Path
from typing import Any

from mmpolar.mining.candidate import parse_json_lines, read_json_lines
from mmpolar.mining.review import Decision, add_decisions, split_review_page, write_decisions
from mmpolar.studio.project import OWN_FOLDER, Project

#: Lets the page load and save decisions here.
_SCRIPT = '<script src="/static/review.js"></script>'


class Reviews:
    """The pages that ``mmpolar mine`` and the mining hook have written into a project.

    Args:
        project: The project.
    """

    def __init__(self, project: Project) -> None:
        self.project = project
        self._lock = threading.Lock()

    def names(self) -> list[str]:
        """Paths of the pages below the project's folder, as in ``round_1/review.html``."""
        folder = self.project.folder
        found = sorted([*folder.glob('*.html'), *folder.glob('*/*.html')])
        names = [path.relative_to(folder).as_posix() for path in found]
        return [name for name in names if not name.startswith(OWN_FOLDER) and self._is_page(name)]

    def page(self, name: str) -> str:
        """The page, with today's code: of the file only the data are taken.

        Raises:
            FileNotFoundError: If there is no such page.
            ValueError: If the path leads out of the project, or the file is no review page.
        """
        before, data, after = split_review_page(self._path(name))
        return f'{before}{data}{after.replace("</body>", f"{_SCRIPT}</body>")}'

    def decisions(self, name: str) -> list[dict[str, Any]]:
        """The decisions on the alarms of a page, also those that were undone."""
        return [one.to_json() for one in self._read(name).values()]

    def save(self, name: str, lines: str) -> None:
        """Add decisions; of two on an alarm the later one counts, so that two people may review.

        Args:
            name: Path of the page.
            lines: Decisions as the page writes them, one a line.

        Raises:
            ValueError: If one is not valid; nothing is written then.
        """
        rows = parse_json_lines(lines, 'the decisions')
        with self._lock:
            decisions = self._read(name)
            add_decisions(decisions, rows)
            write_decisions(self._file(name), decisions.values())

    def _read(self, name: str) -> dict[str, Decision]:
        file, decisions = self._file(name), {}
        if file.exists():
            add_decisions(decisions, read_json_lines(file))
        return decisions

    def _file(self, name: str) -> Path:
        path = self._path(name)
        return self._path(name[: -len(path.name)] + f'{path.stem}_decisions.jsonl')

    def _path(self, name: str) -> Path:
        return self.project.inside(*name.split('/'))

    def _is_page(self, name: str) -> bool:
        try:
            split_review_page(self._path(name))
        except (OSError, ValueError):
            return False
        return True
