import struct

import pytest

from mmpolar.utils.video_container import promises_frames


def box(kind, *contents):
    content = b''.join(contents)
    return struct.pack('>I4s', len(content) + 8, kind) + content


def header(kind, clock, duration, version=0):
    form = '>B3xQQIQ' if version else '>B3xIIII'
    return box(kind, struct.pack(form, version, 0, 0, clock, duration))


def edits(*entries, version=0):
    form = '>QqI' if version else '>IiI'
    listed = b''.join(struct.pack(form, duration, start, 1 << 16) for duration, start in entries)
    return box(b'edts', box(b'elst', struct.pack('>B3xI', version, len(entries)), listed))


def mp4(*tracks, more=b''):
    return (
        box(b'ftyp', b'isom')
        + box(b'free')
        + box(
            b'moov', header(b'mvhd', 1000, 2000), *(box(b'trak', *track) for track in tracks), more
        )
    )


def media(duration=20480, version=0, handler=b'vide'):
    kind = box(b'hdlr', bytes(8), handler, bytes(12))
    return box(b'mdia', header(b'mdhd', 10240, duration, version), kind)


@pytest.mark.parametrize(
    ('content', 'promised'),
    [
        (mp4([media()]), True),
        (mp4([edits((2000, 2048)), media()]), True),
        (mp4([edits((500, -1), (2000, 0), version=1), media(version=1)]), True),
        (mp4([edits((1250, 9728)), media()]), False),
        (mp4([edits((1250, 9728), version=1), media(version=1)]), False),
        (mp4([media()], [edits((1250, 0)), media()]), False),
        (mp4([media()], [edits((1250, 0)), media(handler=b'soun')]), True),
        (mp4([media(handler=b'soun')]), False),
        (mp4([media()], more=box(b'mvex')), False),
        (mp4([media()])[:40], False),
        (mp4([edits((2000, 0)), box(b'mdia', box(b'mdhd', b'short'))]), False),
        (box(b'ftyp', b'isom') + struct.pack('>I4s', 3, b'moov'), False),
        (box(b'ftyp', b'isom') + box(b'free') * 20_000, False),
        (b'RIFF\0\0\0\0AVI LIST', True),
        (b'\x1aE\xdf\xa3 Matroska or WebM', False),
        (b'', False),
    ],
)  # fmt: skip
def test_only_files_that_count_what_is_shown_promise_frames(tmp_path, content, promised):
    (tmp_path / 'a').write_bytes(content)
    assert promises_frames(tmp_path / 'a') is promised
