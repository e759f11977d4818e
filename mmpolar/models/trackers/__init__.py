from mmpolar.models.trackers.ocean import Ocean
from mmpolar.models.trackers.torch_engine import TorchEngine
from mmpolar.utils.deprecation import moved_names

__all__ = ['Ocean', 'TorchEngine']
__getattr__ = moved_names(__name__, {'TrackMemo': 'mmpolar.tracking.state:TargetState'})
