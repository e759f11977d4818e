from mmpolar.models.trackers.ocean import Ocean, TrackMemo

__all__ = ['Ocean', 'TrackMemo']
