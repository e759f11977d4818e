"""Ocean, an anchor-free Siamese tracker, with a head that draws its target's contour."""

import time
from collections.abc import Hashable, Sequence

import torch
from mmdet.structures import DetDataSample
from mmengine.model import BaseModel
from mmengine.structures import InstanceData
from torch import Tensor

from mmpolar.models.heads import Kernels, OceanMaps
from mmpolar.models.heads.contour_refine_head import RayTargets
from mmpolar.models.layers.locations import pick_coordinates, pick_locations
from mmpolar.models.trackers.old_verbs import OldVerbs
from mmpolar.models.trackers.torch_engine import TorchEngine, usual_threads
from mmpolar.models.trackers.track_samples import to_instances, track_samples
from mmpolar.registry import MODELS
from mmpolar.structures.polar import ray_directions
from mmpolar.structures.target import draw_target, draw_unknown_target
from mmpolar.tracking.mask_stage import MaskParams
from mmpolar.tracking.params import TrackParams
from mmpolar.tracking.state import TargetState
from mmpolar.tracking.tracker import Tracker


@MODELS.register_module()
class Ocean(OldVerbs, BaseModel):
    """Ocean (Zhang et al., ECCV 2020), trained jointly with a polar contour head.

    Template and search crop pass through one backbone and one neck; the head combines them and
    gives boxes and scores for every location, and the mask head gives radii. In training all
    losses are summed for one backward pass. Frames of a video are tracked by
    :class:`mmpolar.tracking.Tracker` with a :class:`TorchEngine` of the model; :meth:`predict` does
    so for MMEngine's test loop.

    Args:
        backbone: Config of the backbone; any whose first output has the head's stride.
        neck: Config of the neck, which merges the backbone's outputs and crops the template.
        head: Config of the head, see :class:`OceanHead`.
        mask_head: Config of the segmentation head, see :class:`PolarContourHead`; None tracks
            boxes only.
        refine_head: Config of the head that corrects the contour at the selected location, see
            :class:`ContourRefineHead`. It reads the first outputs of the backbone, and has the rays
            of the mask head.
        mask_stage: Config of the network that decides on pixels once box and contour are known, see
            :class:`MaskStage`. It is trained on its own, see ``configs/mask_stage``; here its
            weights stay as they are.
        test_cfg: Fields of :class:`mmpolar.tracking.TrackParams` to change; the search crop has
            the size of the head's unless given.
        data_preprocessor: Config of the data preprocessor.
        init_cfg: MMEngine's initialisation config.

    Raises:
        ValueError: If there is a refinement head without a mask head, or with other rays.
    """

    def __init__(
        self,
        backbone: dict,
        neck: dict,
        head: dict,
        mask_head: dict | None = None,
        refine_head: dict | None = None,
        mask_stage: dict | None = None,
        test_cfg: dict | None = None,
        data_preprocessor: dict | None = None,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        data_preprocessor = data_preprocessor or dict(type='TrackDataPreprocessor')
        super().__init__(MODELS.build(data_preprocessor), init_cfg)
        self.backbone = MODELS.build(backbone)
        self.neck = MODELS.build(neck)
        self.head = MODELS.build(head)
        self.mask_head = MODELS.build(mask_head) if mask_head is not None else None
        if refine_head is not None and mask_head is None:
            raise ValueError('refine_head corrects the contour of a mask_head, and there is none')
        if refine_head is not None:
            refine_head = dict(dict(n_rays=self.mask_head.n_rays), **refine_head)
        self.refine_head = MODELS.build(refine_head) if refine_head is not None else None
        if refine_head is not None and self.refine_head.n_rays != self.mask_head.n_rays:
            raise ValueError(
                f'refine_head has {self.refine_head.n_rays} rays and mask_head '
                f'{self.mask_head.n_rays}: give both the same n_rays'
            )
        self.mask_stage = MODELS.build(mask_stage) if mask_stage is not None else None
        if self.mask_stage is not None:
            self.mask_stage.requires_grad_(False)
        shared = dict(search_size=self.head.search_size)
        self.params = TrackParams(**dict(shared, **(test_cfg or {})))
        # Where the targets of the video are that the test loop hands over frame by frame.
        self._video_states: dict[Hashable, TargetState[Kernels]] = {}

    @property
    def mask_params(self) -> MaskParams | None:
        """How the mask stage is used; None without one."""
        return None if self.mask_stage is None else self.mask_stage.params

    def train(self, mode: bool = True) -> 'Ocean':
        """Set the mode; the mask stage stays in test mode."""
        super().train(mode)
        if self.mask_stage is not None:
            self.mask_stage.eval()
        return self

    def forward(
        self,
        inputs: dict[str, Tensor],
        data_samples: list[DetDataSample] | None = None,
        mode: str = 'tensor',
    ) -> dict[str, Tensor] | list[DetDataSample] | tuple[OceanMaps, Tensor | None]:
        """Train on pairs, track a frame, score pairs, or return the maps of pairs.

        Args:
            inputs: With mode ``'loss'`` or ``'tensor'``: ``img`` (N, 1, 3, 127, 127) templates and
                ``search_img`` (N, 1, 3, 255, 255) search crops, normalised. With ``'predict'``:
                the same, or ``img`` (1, 1, 3, H, W) alone, a frame in uint8 BGR.
            data_samples: Annotations, one per pair or frame.
            mode: ``'loss'``, ``'predict'`` or ``'tensor'``.

        Returns:
            Losses by name; the data samples with ``pred_track_instances``; or the maps.

        Raises:
            ValueError: If the mode is none of the three.
        """
        if mode == 'loss':
            return self.loss(inputs, data_samples)
        if mode == 'predict':
            return self.predict(inputs, data_samples)
        if mode == 'tensor':
            target_map = self._target_maps(data_samples) if data_samples else None
            return self.correlate(inputs['img'][:, 0], inputs['search_img'][:, 0], target_map)
        raise ValueError(f"mode must be 'loss', 'predict' or 'tensor', got {mode!r}")

    def correlate(
        self, template: Tensor, search: Tensor, target_map: Tensor | None = None
    ) -> tuple[OceanMaps, Tensor | None]:
        """Maps of pairs of crops.

        Args:
            template: Normalised template crops, shape (N, 3, 127, 127).
            search: Normalised search crops, shape (N, 3, X, X).
            target_map: See :meth:`encode_template`.

        Returns:
            The head's maps, and radii (N, n, S, S) in pixels of the search crop, or None without
            a mask head.
        """
        maps = self.search(self.encode_template(template, target_map), search)
        return maps, self.mask_head(maps) if self.mask_head is not None else None

    def encode_template(self, template: Tensor, target_map: Tensor | None = None) -> Kernels:
        """Turn template crops into correlation kernels.

        Args:
            template: Normalised template crops, shape (N, 3, 127, 127).
            target_map: 1 on the target and 0 elsewhere, shape (N, 127, 127), for a refinement
                head. None for a disc of half the crop's width, as of a square target.
        """
        outputs = self.backbone(_channels_last(template))
        kernels = self.head.encode_template(self.neck.crop_template(self.neck(outputs)))
        if self.refine_head is None:
            return kernels
        if target_map is None:
            disc = torch.from_numpy(draw_unknown_target(template.size(-1)))
            target_map = disc.expand(len(template), -1, -1)
        prototypes = self.refine_head.encode_template(
            self._fine_of(outputs), target_map.to(template.device)
        )
        return kernels._replace(prototypes=prototypes)

    def search(self, kernels: Kernels, search: Tensor) -> OceanMaps:
        """Maps of normalised search crops (N, 3, X, X) for encoded templates."""
        outputs = self.backbone(_channels_last(search))
        maps = self.head(kernels, self.neck(outputs), search.size(-1))
        if self.refine_head is not None:
            maps = maps._replace(fine_features=self._fine_of(outputs))
        return maps

    def radii_at(self, maps: OceanMaps, prototypes: Tensor | None, locations: Tensor) -> Tensor:
        """The mask head's radii of some locations, corrected where there is a refinement head.

        Args:
            maps: Output of :meth:`search`.
            prototypes: Those of the kernels.
            locations: Locations counted row by row, shape (N, P).

        Returns:
            Radii in pixels of the search crop, shape (N, P, n).
        """
        coarse = self.mask_head(maps, locations)
        if self.refine_head is None:
            return coarse
        poles = pick_coordinates(self.head.locations(maps.ltrb, maps.search_size), locations)
        ltrb = pick_locations(maps.ltrb, locations)
        return self.refine_head.radii(*self.refine_head(maps, prototypes, poles, ltrb, coarse))

    def loss(
        self, inputs: dict[str, Tensor], data_samples: list[DetDataSample]
    ) -> dict[str, Tensor]:
        """Every loss term by name.

        Args:
            inputs: As in :meth:`forward`.
            data_samples: With ``search_gt_instances`` (``bboxes`` (1, 4), ``labels`` (1,): 1 target
                present, 0 negative pair) and, for samples with a mask, ``polar_targets``.
        """
        target_map = self._target_maps(data_samples)
        kernels = self.encode_template(inputs['img'][:, 0], target_map)
        maps = self.search(kernels, inputs['search_img'][:, 0])
        annotated = [sample.search_gt_instances for sample in data_samples]
        boxes = torch.cat([instances.bboxes for instances in annotated]).to(maps.ltrb)
        present = torch.cat([instances.labels for instances in annotated]).to(maps.ltrb)
        losses = self.head.loss(maps, boxes, present)
        if self.mask_head is None:
            return losses
        radii = self.mask_head(maps)
        polar = _stack_polar_targets(data_samples, radii)
        losses.update(self.mask_head.loss(radii, *polar))
        if self.refine_head is not None:
            targets = self._sample_ray_targets(maps, boxes, radii, *polar[:2])
            losses.update(self.refine_head.loss(maps, kernels.prototypes, targets))
        return losses

    @torch.no_grad()
    def predict(
        self, inputs: dict[str, Tensor], data_samples: list[DetDataSample]
    ) -> list[DetDataSample]:
        """Track one frame of a test video, or score a batch of pairs.

        Args:
            inputs: ``img``, the frame, (1, 1, 3, H, W) BGR in 0..255, uint8 or, as from MMTracking's
                ``inference_sot``, of floating point. Or pairs as in :meth:`forward`.
            data_samples: A sample for each target that is tracked in the frame, with its
                ``video_id`` and ``frame_id``; where that is 0, ``gt_instances`` has the target. Or
                one sample a pair.

        Returns:
            The samples with ``pred_track_instances``. Of a frame: ``bboxes`` (1, 4), ``scores``
            (1,), ``labels`` (1,) and, with a mask head, ``polygons`` (1, n, 2) and ``masks``
            (1, H, W); and as metainfo ``track_seconds``, the time that the frame took, with all
            of its targets. Of a pair: the same instances but ``masks``, in pixels of the search
            crop, at the location with the highest score; without penalty or window.

        Raises:
            RuntimeError: If the first frame of a target never came.
            ValueError: If the first frame has no target, or a frame is normalised already.
        """
        if 'search_img' in inputs:
            return self._score_pairs(inputs, data_samples)
        begin = time.perf_counter()
        frame = _to_uint8(inputs['img'][0, 0]).permute(1, 2, 0).cpu().numpy()
        threads = usual_threads(self.data_preprocessor.device)
        tracker = Tracker(TorchEngine(self, None, threads))
        states = self._video_states
        results, self._video_states = track_samples(tracker, frame, data_samples, states)
        seconds = time.perf_counter() - begin
        for sample, result in zip(data_samples, results, strict=True):
            sample.pred_track_instances = to_instances(result)
            sample.set_metainfo(dict(track_seconds=seconds))
        return data_samples

    def _score_pairs(
        self, inputs: dict[str, Tensor], data_samples: list[DetDataSample]
    ) -> list[DetDataSample]:
        """Best location of each pair of a batch."""
        target_map = self._target_maps(data_samples)
        kernels = self.encode_template(inputs['img'][:, 0], target_map)
        maps = self.search(kernels, inputs['search_img'][:, 0])
        scores, best = maps.scores(self.params.score_ratio).flatten(1).max(1, keepdim=True)
        boxes = self.head.boxes_in_crop(maps.ltrb, maps.search_size)
        found = dict(bboxes=pick_locations(boxes, best), scores=scores)
        if self.mask_head is not None:
            radii = self.radii_at(maps, kernels.prototypes, best).float()
            directions = torch.tensor(ray_directions(self.mask_head.n_rays)).to(radii)
            poles = pick_coordinates(self.head.locations(maps.ltrb, maps.search_size), best)
            found['polygons'] = poles[..., None, :] + radii[..., None] * directions
        found = {key: value.cpu() for key, value in found.items()}
        for index, sample in enumerate(data_samples):
            sample.pred_track_instances = InstanceData(
                **{key: value[index] for key, value in found.items()},
                labels=torch.zeros(1, dtype=torch.long),
            )
        return data_samples

    def _sample_ray_targets(
        self, maps: OceanMaps, boxes: Tensor, coarse: Tensor, radii: Tensor, positive: Tensor
    ) -> RayTargets:
        return self.refine_head.sample_targets(
            self.head.locations(maps.ltrb, maps.search_size),
            maps.ltrb,
            self.head.box_targets(maps.ltrb, boxes)[0],
            coarse,
            radii,
            positive,
            preferred=self.head.center_labels(maps.ltrb, boxes),
        )

    def _target_maps(self, samples: Sequence[DetDataSample]) -> Tensor | None:
        """Where the target is in template crops, (N, T, T) uint8; None if no head asks for it."""
        if self.refine_head is None:
            return None
        maps = []
        for sample in samples:
            instances = sample.gt_instances
            if 'target_maps' in instances:
                maps.append(instances.target_maps[0].cpu())
            else:
                box = instances.bboxes[0].cpu().numpy()
                maps.append(torch.from_numpy(draw_target(box, self.params.template_size)))
        return torch.stack(maps)

    def _fine_of(self, outputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
        return tuple(outputs[: len(self.refine_head.strides)])


def _to_uint8(frame: Tensor) -> Tensor:
    if frame.dtype == torch.uint8:
        return frame
    low, high = (value.item() for value in frame.aminmax())
    if not (low >= 0 and high <= 255):
        raise ValueError(
            f'frame has values from {low:g} to {high:g}; hand it over in 0..255, as read from the '
            'file: the tracker normalises it'
        )
    return frame.round().to(torch.uint8)


def _channels_last(images: Tensor) -> Tensor:
    # About 1.5 times faster on a CPU than the default layout.
    return images.contiguous(memory_format=torch.channels_last)


def _stack_polar_targets(
    samples: list[DetDataSample], radii: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Targets (N, n, S, S), positive locations and centerness (N, S, S) of a batch.

    Raises:
        ValueError: If targets and predictions differ in rays or locations.
    """
    target = torch.ones_like(radii)
    positive = torch.zeros_like(radii[:, 0], dtype=torch.bool)
    centerness = torch.zeros_like(radii[:, 0])
    for index, sample in enumerate(samples):
        if 'polar_targets' not in sample:
            continue
        polar = sample.polar_targets
        if polar.radii.shape != radii.shape[1:]:
            raise ValueError(
                f'polar targets have the shape {tuple(polar.radii.shape)}, the head predicts '
                f'{tuple(radii.shape[1:])}: n_rays, score_size and stride of GeneratePolarTarget '
                'must fit the model'
            )
        target[index] = polar.radii
        positive[index] = polar.positive
        centerness[index] = polar.centerness
    return target, positive, centerness
