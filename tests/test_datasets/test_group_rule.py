"""Which stream, camera or day a file belongs to."""

import pytest

from mmpolar.datasets.group_rule import GroupRule


def test_by_default_the_folder_is_the_group():
    rule = GroupRule()
    assert [rule.group_of(path) for path in ('a/b/c.mp4', 'a/c.mp4', 'c.mp4')] == ['a/b', 'a', 'c']
    assert rule.kind == 'group'


@pytest.mark.parametrize(
    ('pattern', 'kind', 'group'),
    [
        (r'cam\d+', 'group', 'cam07'),
        (r'cam(\d+)', 'group', '07'),
        (r'(?P<camera>cam\d+)', 'camera', 'cam07'),
        (r'(?P<day>\d{4})/(?P<camera>cam\d+)', 'day/camera', '2026/cam07'),
    ],
)
def test_a_pattern_names_the_group(pattern, kind, group):
    rule = GroupRule(pattern=pattern)
    assert (rule.kind, rule.group_of('2026/cam07_0800.mp4')) == (kind, group)


def test_a_table_names_the_group_by_path_or_by_name(tmp_path):
    table = tmp_path / 'cameras.csv'
    table.write_text('\ufeffvideo,camera,day\nx.mp4,gate,1\nb/x.mp4,"yard, left",2\n\n')
    rule = GroupRule(table=table)
    assert rule.kind == 'camera/day'
    assert rule.group_of('a/x.mp4') == 'gate/1'
    assert rule.group_of('b/x.mp4') == 'yard, left/2'
    with pytest.raises(ValueError, match='cameras.csv of group has no line for "y.mp4"'):
        rule.group_of('y.mp4')


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        ('', 'needs a first line'),
        ('video\nx.mp4\n', 'needs a first line'),
        ('v,c\nx\n', 'cameras.csv, line 2: there must be 2 values'),
    ],
)
def test_a_table_of_another_form_is_refused(tmp_path, content, message):
    (tmp_path / 'cameras.csv').write_text(content)
    with pytest.raises(ValueError, match=message):
        GroupRule(table=tmp_path / 'cameras.csv')


def test_wrong_options_are_refused():
    with pytest.raises(ValueError, match='not both'):
        GroupRule(pattern='a', table='b')
    with pytest.raises(ValueError, match='no regular expression'):
        GroupRule(pattern='(')
    with pytest.raises(ValueError, match='does not match "x.mp4"'):
        GroupRule(pattern='cam').group_of('x.mp4')
