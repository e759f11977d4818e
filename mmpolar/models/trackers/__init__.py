from mmpolar.models.trackers.ocean import Ocean
from mmpolar.models.trackers.prepare_for_cpu import prepare_for_inference
from mmpolar.models.trackers.torch_engine import TorchEngine
from mmpolar.utils.deprecation import moved_names

__all__ = ['Ocean', 'TorchEngine', 'prepare_for_inference']
__getattr__ = moved_names(__name__, {'TrackMemo': 'mmpolar.tracking.state:TargetState'})
