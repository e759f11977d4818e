"""Trackers so plain that their values are known."""


class Keeps:
    """Answers with the mask that it was given."""

    def init(self, frame, target):
        assert target.shape == frame.shape[:2]
        self.mask = target

    def step(self, frame):
        return self.mask
