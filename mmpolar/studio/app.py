"""The web application: what the page asks for, in one route each."""

import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from mmpolar.structures.rle import decode_runs, encode_runs
from mmpolar.studio.assistant import Assistant
from mmpolar.studio.comparison import compare
from mmpolar.studio.exports import WRITERS, export, labelled_frames
from mmpolar.studio.frame_source import FrameSource
from mmpolar.studio.guard import Guard
from mmpolar.studio.jobs import BusyError, Jobs
from mmpolar.studio.project import Project
from mmpolar.studio.reviews import Reviews
from mmpolar.studio.store import KINDS, MASK, NONE, Clip, ConflictError
from mmpolar.studio.tracking_plan import DIRECTIONS, plan_runs
from mmpolar.studio.training import Training
from mmpolar.utils.atomic_write import atomic_path
from mmpolar.utils.video import VIDEO_SUFFIXES

_STATIC = Path(__file__).parent / 'static'
#: Bytes of a request but for an upload: run lengths of the most ragged mask have fewer.
_MAX_BODY = 8 * 2**20
#: Types of the entries of requests, and what texts look like that are no line of 1 to 255 characters.
_TYPES = {
    **dict.fromkeys(('color', 'kind', 'lines', 'name', 'part'), str),
    **dict.fromkeys(('batch_size', 'epochs', 'frame', 'samples', 'seen', 'until'), int),
    **dict.fromkeys(('box', 'clips', 'directions', 'models', 'point', 'runs', 'targets'), list),
}
_LINE, _TEXTS = r'(?=.*\S).{1,255}', {'color': '#[0-9a-fA-F]{6}', 'lines': r'[\s\S]*'}
_REVIEW_POLICY = (
    "default-src 'self'; img-src data:; style-src 'unsafe-inline'; script-src 'self' 'unsafe-inline'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
_JPEG = (cv2.IMWRITE_JPEG_QUALITY, 88)
#: Status of what goes wrong, the first that fits.
_STATUS = {
    ConflictError: 409,
    BusyError: 409,
    FileExistsError: 409,
    FileNotFoundError: 404,
    KeyError: 404,
    IndexError: 404,
    OverflowError: 404,  # a number that the database cannot have
    ValueError: 400,
    TypeError: 400,
}


@dataclass(frozen=True)
class StudioOptions:
    """How the page is served.

    Attributes:
        token: What has to be known to use it; None where only this machine can connect.
        max_upload: Largest video that is taken, in bytes.
        cannot_train: Why no training can be started here, None if it can.
    """

    token: str | None = None
    max_upload: int = 2 * 2**30
    cannot_train: str | None = None


def build_app(project: Project, assistant: Assistant, options: StudioOptions) -> Starlette:
    """The application for a project; it is served by any ASGI server."""
    studio = Studio(project, assistant, options)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        await run_in_threadpool(studio.jobs.stop)  # after its frame, which is then kept

    return Starlette(
        lifespan=lifespan,
        routes=[
            Route('/', lambda _: FileResponse(_STATIC / 'index.html')),
            Route('/reviews/{name:path}', studio.show_review),
            Mount('/static', StaticFiles(directory=_STATIC)),
            *studio.routes(),
        ],
        middleware=[Middleware(Guard, token=options.token)],
        exception_handlers=dict.fromkeys((Exception, *_STATUS), _explain),
    )


class Studio:
    """Answers the page. The parameters of a method are what a request has in its path and body.

    Args:
        project: The project.
        assistant: Its tracker.
        options: How the page is served.
    """

    def __init__(self, project: Project, assistant: Assistant, options: StudioOptions) -> None:
        self.project, self.store, self.assistant = project, project.store, assistant
        self.options, self.jobs, self.training = options, Jobs(), Training(project)
        self.reviews = Reviews(project)

    def routes(self) -> list[Route]:
        """The routes below ``/api``."""
        asked = {
            '/project': self.show_project,
            '/clips/{clip:int}': self.show_clip,
            '/clips/{clip:int}/frames/{frame:int}': self.show_frame,
            '/labels/{revision:int}': self.show_label,
            '/trainings': self.training.shown,
            '/reviews': self.reviews.names,
            '/reviews/{name:path}': self.reviews.decisions,
        }
        sent = {
            '/open': self.project.open_clip,
            '/model': self.assistant.use,
            '/clips/{clip:int}/targets': self.store.add_target,
            '/clips/{clip:int}/undo': self.undo,
            '/clips/{clip:int}/track': self.track,
            '/targets/{target:int}': self.store.change_target,
            '/targets/{target:int}/remove': self.store.remove_target,
            '/targets/{target:int}/label': self.put_label,
            '/reviews/{name:path}': self.reviews.save,
            '/stop': self.jobs.stop,
            '/export': self.export,
            '/compare': self.compare,
            '/trainings/prepare': self.training.prepare,
            '/trainings/start': self.start_training,
            '/trainings/stop': self.training.stop,
        }
        return [
            *(Route(f'/api{path}', _answer(work)) for path, work in asked.items()),
            *(Route(f'/api{path}', _answer(work), methods=['POST']) for path, work in sent.items()),
            Route('/api/upload', self.upload, methods=['POST']),
        ]

    def show_project(self) -> dict[str, Any]:
        """The clips, and what can be chosen."""
        opened = {clip.name: clip for clip in self.store.clips()}
        clips = []
        for name in self.project.clip_names():
            clip = opened.get(name)
            complete, _ = labelled_frames(self.project, clip) if clip else ([], 0)
            clips.append(dict(name=name, frames=clip and clip.frames, complete=len(complete)))
        return dict(
            folder=str(self.project.folder),
            clips=clips,
            models=self.project.models(),
            model=self.assistant.model,
            exports=list(WRITERS),
            max_upload=self.options.max_upload,
            cannot_train=self.options.cannot_train,
            job=self.jobs.state,
        )

    def show_clip(self, clip: int, since: str = '0') -> dict[str, Any]:
        """Targets and labels of a clip; of the labels those after a revision."""
        job = copy(self.jobs.state)  # before the labels: what it has done is among them
        return dict(
            targets=self.store.targets(clip),
            labels=self.store.labels(clip, int(since)),
            undo=self.store.last_step(clip),
            job=job,
        )

    def show_frame(self, clip: int, frame: int) -> Response:
        """A frame as JPEG."""
        _, encoded = cv2.imencode('.jpg', self.project.frames(clip).read(frame), _JPEG)
        kept = {'cache-control': 'private, max-age=600'}
        return Response(encoded.tobytes(), media_type='image/jpeg', headers=kept)

    def show_label(self, revision: int) -> dict[str, Any]:
        """Run lengths of a mask, row by row."""
        label = self.store.label(revision)
        clip = self.store.clip(self.store.target(label.target).clip)
        return dict(runs=encode_runs(self.project.mask(clip, label)).tolist())

    def put_label(
        self,
        target: int,
        frame: int,
        until: int | None = None,
        kind: str = MASK,
        seen: int = 0,
        **drawn: list,
    ) -> dict[str, Any]:
        """Label a target in a frame by a mask, a box or a point, or in several by a word."""
        clip = self.store.clip(self.store.target(target).clip)
        frames = range(frame, (frame if until is None else until) + 1)
        if not frames or frames[0] < 0 or frames[-1] >= clip.frames:
            raise ValueError(f'{clip.name} has the frames 0 to {clip.frames - 1}')
        if kind not in KINDS or (kind == MASK and len(frames) > 1):
            raise ValueError(f'a label is one of {", ".join(KINDS)}, a mask of one frame')
        file = None
        if kind == MASK:
            mask = self._read_mask(clip, frame, **drawn)
            file = self.project.save_mask(clip, target, frame, mask, flush=True)
        label = self.store.put_hand(target, frames, kind, file, seen, f'{kind} in frame {frame}')
        return dict(revision=label.revision, kind=label.kind if label.kind != NONE else None)

    def undo(self, clip: int, seen: int) -> None:
        """Take back the last step in a clip."""
        job = self.jobs.state
        if job is not None and job.running and job.clip == clip:
            raise BusyError('tracking is running: stop it first')
        self.store.undo(clip, seen)

    def track(
        self,
        clip: int,
        targets: list[int] | None = None,
        directions: list[str] = DIRECTIONS,
        frame: int | None = None,
    ) -> None:
        """Track what is not up to date, or from the anchor nearest to a frame."""
        entry, labels = self.store.clip(clip), self.store.labels(clip)
        chosen = targets or [target.id for target in self.store.targets(clip)]
        runs = []
        for target in chosen:
            own = [one for one in labels if one.target == target]
            runs += plan_runs(own, entry.frames, directions, frame)
        if not runs:
            raise ValueError('nothing is left to track: mark a target, or correct a frame')
        self.jobs.start(
            'track', lambda state: self.assistant.track(entry, runs, 'tracking', state), clip
        )

    def export(self, kind: str) -> None:
        """Write a dataset into the project's folder ``exports``."""
        out = self.project.own_path('exports', kind)
        self.jobs.start('export', lambda state: export(self.project, kind, out, (), state))

    def compare(self, models: list[str], clips: list[str]) -> None:
        """Measure trackers on the labelled frames."""
        self.jobs.start(
            'compare', lambda state: compare(self.project, self.assistant, models, clips, state)
        )

    def start_training(self, name: str) -> None:
        """Start or resume a training."""
        if self.options.cannot_train:
            raise ValueError(self.options.cannot_train)
        self.training.start(name)

    def show_review(self, request: Request) -> Response:
        """A review page, whose script stands in the page; it was checked to be the package's own."""
        page = self.reviews.page(request.path_params['name'])
        return HTMLResponse(page, headers={'content-security-policy': _REVIEW_POLICY})

    async def upload(self, request: Request) -> Response:
        """Take a video as the body of the request, and add it to the project."""
        name = request.query_params.get('name', '')
        path = self.project.inside(name)
        if not name.lower().endswith(VIDEO_SUFFIXES) or name.startswith('.'):
            raise ValueError(f'{name} is no video; taken are {", ".join(VIDEO_SUFFIXES)}')
        if path.exists():
            raise FileExistsError(f'there is {name} already: rename one of them')
        with atomic_path(path, Path(name).suffix) as unfinished:
            with unfinished.open('wb') as file:
                async for part in _limited(request, self.options.max_upload):
                    await run_in_threadpool(file.write, part)
            await run_in_threadpool(_check_video, unfinished)
        return JSONResponse(dict(name=name))

    def _read_mask(
        self,
        clip: Clip,
        frame: int,
        runs: list[int] | None = None,
        box: list[float] | None = None,
        point: list[float] | None = None,
    ) -> np.ndarray:
        if runs is not None:
            mask = decode_runs(runs, (clip.height, clip.width))
            if not mask.any():
                raise ValueError('the mask is empty: mark the target as absent instead')
            return mask
        image = self.project.frames(clip.id).read(frame)
        if box is not None:
            return self.assistant.mask_of_box(image, box)
        if point is not None:
            return self.assistant.mask_of_point(image, point)
        raise ValueError('a mask needs runs, a box or a point')


def _check_video(path: Path) -> None:
    """Refuse a file whose first frame cannot be decoded."""
    FrameSource(path).close()


def _answer(work: Callable[..., Any]) -> Callable[[Request], Awaitable[Response]]:
    """A route that calls a function with what a request has in its path, its query and its body."""

    async def answer(request: Request) -> Response:
        if request.method == 'POST':
            content = b''.join([part async for part in _limited(request, _MAX_BODY)])
            given = _checked(json.loads(content))
        else:
            given = request.query_params
        result = await run_in_threadpool(work, **given, **request.path_params)
        if isinstance(result, Response):
            return result
        return Response(json.dumps(result, default=vars), media_type='application/json')

    return answer


def _checked(body: Any) -> dict[str, Any]:
    """The body of a request, each entry of which has its type."""
    if not isinstance(body, dict):
        raise ValueError('a request is an object in JSON')
    for name, value in body.items():
        kind = _TYPES.get(name)
        pattern = _TEXTS.get(name, _LINE)
        if type(value) is not kind or (kind is str and not re.fullmatch(pattern, value)):
            raise ValueError(f'{name} cannot be {str(value)[:80]!r}')
        if value == []:
            raise ValueError(f'{name} is empty: choose at least one')
    return body


async def _limited(request: Request, limit: int) -> AsyncIterator[bytes]:
    """The parts of a request's body; refused as soon as they are more, or are said to be."""
    too_large = HTTPException(
        413, f'more than {limit / 2**20:.0f} MB are not taken: copy large videos into the folder'
    )
    if int(request.headers.get('content-length') or 0) > limit:
        raise too_large
    received = 0
    async for part in request.stream():
        received += len(part)
        if received > limit:
            raise too_large
        yield part


def _explain(request: Request, error: Exception) -> Response:
    """What went wrong, in a line."""
    status = next((code for kind, code in _STATUS.items() if isinstance(error, kind)), 500)
    text = error.args[0] if isinstance(error, KeyError) and error.args else str(error)
    return JSONResponse(dict(error=' '.join(str(text).split()) or type(error).__name__), status)
