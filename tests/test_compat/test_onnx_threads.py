import onnxruntime
import pytest

from mmpolar.compat.onnx_threads import SPIN_MICROSECONDS, waiting_of_threads


@pytest.mark.parametrize('version', ['1.31.0', '1.31.1', '2.0.0.dev1'])
def test_threads_spin_for_a_short_time(version, monkeypatch):
    monkeypatch.setattr(onnxruntime, '__version__', version)
    assert waiting_of_threads() == {
        'allow_spinning': '1',
        'spin_duration_us': str(SPIN_MICROSECONDS),
    }


@pytest.mark.parametrize('version', ['1.9.0', '1.30.2'])
def test_threads_of_earlier_versions_sleep_at_once(version, monkeypatch):
    monkeypatch.setattr(onnxruntime, '__version__', version)
    assert waiting_of_threads() == {'allow_spinning': '0'}
