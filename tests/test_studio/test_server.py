"""The page as a process: hostile requests, a kill in the middle, two pages at once."""

import http.client
import os
import shutil
import signal
import time
from urllib.parse import urlsplit

import pytest
from studio_server import SCENE

from mmpolar.structures.rle import encode_runs
from mmpolar.studio.project import Project


@pytest.fixture
def server(folder, serve):
    return serve(folder)


def runs_of_frame(number):
    return dict(runs=encode_runs(SCENE.render(number)[1]).tolist())


def test_hostile_requests_are_refused(folder, serve):
    outside = folder.parent / 'secret.mp4'
    shutil.copy(folder / 'car.mp4', outside)
    (folder / 'link.mp4').symlink_to(outside)
    server = serve(folder, '--max-upload', '1')
    clip, target = server.open_clip('car.mp4')

    for name in ('../secret.mp4', '/etc/passwd', '..', 'a/../../secret.mp4', 'link.mp4', '', 5):
        status, answer = server.ask('api/open', dict(name=name))
        assert status in (400, 404), answer
    for path in (
        'static/../app.py',
        'static/%2e%2e/app.py',
        'static//etc/passwd',
        '../../etc/passwd',
    ):
        assert server.ask(path)[0] == 404
    for headers in (
        {'Origin': 'http://evil.example'},
        {'Origin': 'null'},
        {'Host': 'evil.example'},
        {'Sec-Fetch-Site': 'cross-site', 'Sec-Fetch-Mode': 'no-cors'},
    ):
        assert server.ask('api/project', headers=headers)[0] == 403, headers
        assert server.ask('api/stop', {}, headers)[0] == 403, headers

    upload = 'api/upload?name=big.mp4'
    assert claim(server, upload, 2**20 + 1) == 413
    assert send_in_parts(server, upload, 2**20 + 1) == 413
    for name, status in (('car.mp4', 409), ('a.txt', 400), ('..%2Fb.mp4', 400), ('b.mp4', 400)):
        assert server.ask(f'api/upload?name={name}', b'no video')[0] == status, name
    assert claim(server, f'api/targets/{target}/label', 9 * 2**20) == 413
    for body in ({'runs': [10**12]}, {'runs': [0, -1]}, {'runs': 'x'}, {'box': [1, 2]}, {},
                 {'point': [1e9, 0]}, {'kind': 'x'}, {'runs': [1, 5], 'until': 5}):  # fmt: skip
        assert server.ask(f'api/targets/{target}/label', body | dict(frame=0))[0] == 400, body
    for path, body in ((f'api/clips/{clip}/targets', dict(name='x', color='red')),
                       (f'api/clips/{clip}/targets', dict(name=' ', color='#ff8800')),
                       (f'api/clips/{clip}/targets?color=red', dict(name='x')),
                       ('api/compare', dict(models=[], clips=['car.mp4'])),
                       ('api/export', dict(kind=5)),
                       ('api/stop', dict(other=1))):  # fmt: skip
        assert server.ask(path, body)[0] == 400, body
    for path in (f'api/clips/{clip}/frames/999', 'api/clips/77/frames/0', 'api/labels/1',
                 f'api/clips/{10**30}'):  # fmt: skip
        assert server.ask(path)[0] == 404, path
    assert server.ask('api/model', dict(name='../../model'))[0] == 404
    assert server.ask('api/trainings/start', dict(name='../x'))[0] in (400, 404)
    assert {path.name for path in folder.iterdir()} == {'car.mp4', 'link.mp4', 'mmpolar-studio'}


def claim(server, path, size):
    """Status of a request that says that it is so large."""
    address = urlsplit(server.address)
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=30)
    connection.putrequest('POST', f'/{path}')
    connection.putheader('Content-Length', str(size))
    connection.endheaders()
    status = connection.getresponse().status
    connection.close()
    return status


def send_in_parts(server, path, size):
    """Status of an upload that does not say how large it is."""
    address = urlsplit(server.address)
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=30)
    parts = (b'x' * 2**16 for _ in range(size // 2**16 + 1))
    connection.request('POST', f'/{path}', parts, encode_chunked=True)
    status = connection.getresponse().status
    connection.close()
    return status


def test_other_machines_need_the_token(folder, serve):
    server = serve(folder, '--host', '0.0.0.0')
    server.address = server.address.replace('0.0.0.0', '127.0.0.1')
    token = server.address.partition('token=')[2]
    assert len(token) > 20
    assert server.ask('api/project')[0] == 401
    assert server.ask('')[0] == 401
    assert server.ask('?token=wrong')[0] == 401
    cookie = {'Cookie': f'mmpolar_studio={token}'}
    assert server.ask('api/project', headers=cookie)[0] == 200
    assert server.ask('api/project', headers=cookie | {'Origin': 'http://evil.example'})[0] == 403


def test_an_upload_becomes_a_clip(folder, server):
    content = (folder / 'car.mp4').read_bytes()
    assert server.ask('api/upload?name=bus.mp4', content)[0] == 200
    assert (folder / 'bus.mp4').read_bytes() == content
    assert server.ask('api/open', dict(name='bus.mp4'))[1]['frames'] == len(SCENE)


def test_a_video_may_have_a_long_name(folder, server):
    name = f'{"long" * 50}.mp4'
    shutil.copy(folder / 'car.mp4', folder / name)
    assert server.ask('api/open', dict(name=name))[1]['name'] == name


def test_a_kill_in_the_middle_loses_nothing_that_was_answered(folder, serve):
    server = serve(folder)
    clip, target = server.open_clip('car.mp4')
    status, label = server.ask(f'api/targets/{target}/label', dict(frame=0) | runs_of_frame(0))
    assert status == 200
    assert server.ask(f'api/clips/{clip}/track', {})[0] == 200
    known = []
    while len(known) < 4:  # the marked frame, and three that were tracked
        known = server.ask(f'api/clips/{clip}?since=0')[1]['labels']
        time.sleep(0.01)
    server.kill()

    again = serve(folder)
    found = again.ask(f'api/clips/{clip}?since=0')[1]['labels']
    assert found[: len(known)] == known
    for label in found:
        runs = again.ask(f'api/labels/{label["revision"]}')[1]['runs']
        assert sum(runs) == 160 * 120
        assert (sum(runs[1::2]) > 0) == (label['kind'] == 'mask')
    # What is left is tracked on, from the same anchor.
    assert again.ask(f'api/clips/{clip}/track', {})[0] == 200
    while again.ask('api/project')[1]['job']['running']:
        time.sleep(0.05)
    labels = again.ask(f'api/clips/{clip}?since=0')[1]['labels']
    assert sorted(label['frame'] for label in labels) == list(range(len(SCENE)))


def test_two_pages_do_not_overwrite_each_other(server):
    _, target = server.open_clip('car.mp4')
    path = f'api/targets/{target}/label'
    _, mine = server.ask(path, dict(frame=0, seen=0) | runs_of_frame(0))
    status, answer = server.ask(path, dict(frame=0, seen=0, kind='absent'))
    assert status == 409
    assert 'frame 0 of car was changed meanwhile' in answer['error']
    assert server.ask(path, dict(frame=0, seen=mine['revision'], kind='absent'))[0] == 200


def test_a_second_job_waits_and_the_first_can_be_stopped(server):
    clip, target = server.open_clip('car.mp4')
    assert server.ask(f'api/clips/{clip}/track', {})[0] == 400  # nothing is marked
    server.ask(f'api/targets/{target}/label', dict(frame=6) | runs_of_frame(6))
    assert server.ask(f'api/clips/{clip}/track', {})[0] == 200
    status, answer = server.ask('api/export', dict(kind='davis'))
    assert status == 409
    assert 'track is running' in answer['error']
    assert server.ask('api/stop', {})[0] == 200
    job = server.ask('api/project')[1]['job']
    assert not job['running']
    assert job['error'] is None
    assert 0 < job['done'] < job['total'] == 13


def test_ctrl_c_ends_tracking_after_its_frame(server, folder):
    clip, target = server.open_clip('car.mp4')
    server.ask(f'api/targets/{target}/label', dict(frame=0) | runs_of_frame(0))
    assert server.ask(f'api/clips/{clip}/track', {})[0] == 200
    server.process.send_signal(signal.SIGINT)
    _, errors = server.process.communicate(timeout=60)
    assert server.process.returncode == 130
    assert errors.strip() == 'stopped'


def test_masks_of_a_killed_process_are_removed_later(folder, project):
    left = project.own / 'masks/1-car.mp4/1/000000-0.png'
    left.parent.mkdir(parents=True)
    left.write_bytes(b'')
    assert project.remove_unused_masks() == 0  # another process may be about to name it
    assert left.exists()
    os.utime(left, (0, 0))
    assert Project(folder).remove_unused_masks() == 1
