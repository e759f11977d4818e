"""Projects of generated video, and the page as a process of its own."""

import pytest
from studio_server import Server, write_video

from mmpolar.studio.project import Project


@pytest.fixture
def folder(tmp_path):
    """A folder with one video, ``car.mp4``."""
    write_video(tmp_path / 'videos' / 'car.mp4')
    return tmp_path / 'videos'


@pytest.fixture
def project(folder):
    opened = Project(folder)
    yield opened
    opened.close()


@pytest.fixture
def serve():
    """Starts servers, and ends them after the test."""
    started = []

    def start(folder, *options):
        started.append(Server(folder, *options))
        return started[-1]

    yield start
    for server in started:
        server.kill()
