import json

import pytest

from mmpolar.utils import text_file
from mmpolar.utils.text_file import TextFileError, find_encoding, read_json, read_text

TEXT = 'B\u00e4r,1\r\n\u718a,2\n'


@pytest.mark.parametrize('encoding', ['utf-8', 'utf-8-sig', 'utf-16', 'utf-32'])
def test_text_is_read_without_its_byte_order_mark(tmp_path, encoding):
    path = tmp_path / 'a.txt'
    path.write_bytes(TEXT.encode(encoding))
    assert read_text(path) == TEXT
    found, start = find_encoding(path)
    assert path.read_bytes()[start:].decode(found) == TEXT
    path.write_bytes(json.dumps([TEXT]).encode(encoding))
    assert read_json(path) == [TEXT]


@pytest.mark.parametrize('data', ['\u00e4'.encode('latin-1'), b'\xff\xfea', b'\xef\xbb\xbf\xff'])
def test_other_encodings_are_refused_by_name(tmp_path, data):
    (tmp_path / 'a.txt').write_bytes(data)
    with pytest.raises(TextFileError, match=r'a\.txt is no text in UTF-8 .*; save it so'):
        read_text(tmp_path / 'a.txt')


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('', 'Expecting value'),
        ('{"a": 1', 'Expecting'),
        ('[' * 10**6, 'nested too deep'),
        ('{"a":' * 10**5, 'nested too deep'),
        ('9' * 5000, 'digits'),
    ],
)
def test_damaged_json_is_refused_by_name(tmp_path, text, message):
    (tmp_path / 'a.json').write_text(text)
    with pytest.raises(TextFileError, match=rf'a\.json is not valid JSON: .*{message}'):
        read_json(tmp_path / 'a.json')


def test_missing_and_huge_files_are_named(tmp_path, monkeypatch):
    with pytest.raises(FileNotFoundError, match=r'none\.txt does not exist'):
        read_text(tmp_path / 'none.txt')
    monkeypatch.setattr(text_file, 'MAX_BYTES', 4)
    (tmp_path / 'a.txt').write_text('12345')
    with pytest.raises(TextFileError, match=r'a\.txt has 5 bytes; at most 4 are read'):
        read_text(tmp_path / 'a.txt')
