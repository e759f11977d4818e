"""What MMTracking's STARK gets in place of a class that MMDetection no longer has."""

from torch import nn


class Transformer(nn.Module):
    """Base class that lets STARK be defined, and tells why it cannot be built.

    Raises:
        NotImplementedError: Always.
    """

    def __init__(self, *args: object, **kwargs: object) -> None:
        raise NotImplementedError(
            'STARK needs mmdet.models.layers.Transformer, which the installed MMDetection does not '
            'have; train and test STARK with one of the MMDetection releases that MMTracking '
            'asks for'
        )
