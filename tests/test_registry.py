"""The registries of mmpolar."""

import pytest
from mmengine.registry import MODELS as ROOT_MODELS
from mmengine.registry import DefaultScope

from mmpolar.models import PolarIoULoss
from mmpolar.registry import MODELS
from mmpolar.utils import deprecation
from mmpolar.utils.deprecation import MMPolarDeprecationWarning


@pytest.fixture
def old_name(monkeypatch):
    monkeypatch.setattr(deprecation, '_warned', set())
    monkeypatch.setattr(MODELS, '_new_names', {})
    MODELS.register_old_name('RayLoss', 'PolarIoULoss')
    return 'RayLoss'


def test_renamed_class_is_built_by_its_old_name_with_one_warning(old_name):
    with pytest.warns(MMPolarDeprecationWarning, match="'RayLoss'.*use 'PolarIoULoss'") as got:
        built = [MODELS.build(dict(type=old_name)) for _ in range(2)]
    assert [type(loss) for loss in built] == [PolarIoULoss, PolarIoULoss]
    assert len(got) == 1


def test_old_name_is_found_from_the_root_registry_too(old_name):
    with pytest.warns(MMPolarDeprecationWarning):
        assert ROOT_MODELS.get('mmpolar.RayLoss') is PolarIoULoss
    with DefaultScope.overwrite_default_scope('mmpolar'):
        assert isinstance(ROOT_MODELS.build(dict(type=old_name)), PolarIoULoss)


def test_unknown_name_stays_unknown(old_name):
    assert MODELS.get('NoSuchLoss') is None
