"""Videos for the studio, and ``mmpolar studio`` as a process."""

import json
import os
import re
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

from interrupts import heed_interrupts

from mmpolar.datasets.synthetic import make_scene
from mmpolar.visualization import VideoWriter

ROOT = Path(__file__).resolve().parents[2]
TINY = 'ocean-polar_effnet-lite0-tiny_natural'
#: A target that stands out in a video of 160 x 120 pixels.
SCENE = make_scene(3, 'val', 1, frames=12, size=(160, 120), difficulty=0.0)


def write_video(path, scene=SCENE, rate=25):
    """The scene as an mp4 file."""
    with VideoWriter(path, rate, scene.size) as writer:
        for number in range(len(scene)):
            writer.write(scene.render(number)[0])


class Server:
    """``mmpolar studio`` as a process."""

    def __init__(self, folder, *options):
        words = ['studio', str(folder), '--no-browser', '--port', '0', '--threads', '1']
        self.process = subprocess.Popen(
            [sys.executable, '-m', 'mmpolar.cli', *words, '--model', TINY, *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, preexec_fn=heed_interrupts, env=os.environ | {'PYTHONPATH': os.pathsep.join([str(ROOT), *sys.path])},
        )  # fmt: skip
        line = self.process.stdout.readline()
        self.address = re.search(r'http://\S+', line)[0]

    def kill(self):
        self.process.kill()
        self.process.communicate()

    def ask(self, path, body=None, headers=(), method=None):
        """Status and answer of a request; JSON is decoded."""
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        url = self.address.partition('?')[0] + path
        request = urllib.request.Request(url, data, dict(headers), method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                return response.status, _decoded(response.read())
        except urllib.error.HTTPError as error:
            return error.code, _decoded(error.read())

    def open_clip(self, name):
        """Numbers of a clip and of a new target in it."""
        _, clip = self.ask('api/open', dict(name=name))
        _, target = self.ask(f'api/clips/{clip["id"]}/targets', dict(name='car', color='#ff8800'))
        return clip['id'], target['id']


def _decoded(content):
    try:
        return json.loads(content)
    except ValueError:
        return content
