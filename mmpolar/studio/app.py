"""The web application: what the page asks for, in one route each."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from mmpolar.structures.rle import decode_runs, encode_runs
from mmpolar.studio.assistant import Assistant
from mmpolar.studio.comparison import compare
from mmpolar.studio.exports import WRITERS, complete_frames, export
from mmpolar.studio.frame_source import FrameSource
from mmpolar.studio.guard import Guard
from mmpolar.studio.jobs import BusyError, Jobs, JobState
from mmpolar.studio.project import Project
from mmpolar.studio.reviews import Reviews
from mmpolar.studio.store import KINDS, MASK, NONE, ConflictError
from mmpolar.studio.tracking_plan import DIRECTIONS, plan_runs
from mmpolar.studio.training import Training
from mmpolar.utils.atomic_write import atomic_path
from mmpolar.utils.video import VIDEO_SUFFIXES

_STATIC = Path(__file__).parent / 'static'
#: Bytes of a request but for an upload: run lengths of the most ragged mask have fewer.
_MAX_BODY = 8 * 2**20
_MAX_NAME, _MAX_FILE_NAME = 60, 255
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


class TooLargeError(Exception):
    """A request is larger than is taken."""


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
        exception_handlers={Exception: _explain}
        | dict.fromkeys((*_STATUS, TooLargeError), _explain),
    )


Body = dict[str, Any]


class Studio:
    """Answers the page.

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
            '/trainings': self.show_trainings,
            '/reviews': lambda _: self.reviews.names(),
            '/reviews/{name:path}': self.show_decisions,
        }
        sent = {
            '/open': self.open_clip,
            '/model': self.use_model,
            '/clips/{clip:int}/targets': self.add_target,
            '/clips/{clip:int}/undo': self.undo,
            '/clips/{clip:int}/track': self.track,
            '/targets/{target:int}': self.change_target,
            '/targets/{target:int}/remove': self.remove_target,
            '/targets/{target:int}/label': self.put_label,
            '/reviews/{name:path}': self.save_decisions,
            '/stop': self.stop,
            '/export': self.export,
            '/compare': self.compare,
            '/trainings/prepare': self.prepare_training,
            '/trainings/start': self.start_training,
            '/trainings/stop': self.stop_training,
        }
        return [
            *(Route(f'/api{path}', _asked(work)) for path, work in asked.items()),
            *(Route(f'/api{path}', _sent(work), methods=['POST']) for path, work in sent.items()),
            Route('/api/upload', self.upload, methods=['POST']),
        ]

    def show_project(self, request: Request) -> Any:
        """The clips, and what can be chosen."""
        opened = {clip.name: clip for clip in self.store.clips()}
        clips = [
            dict(
                name=name,
                frames=opened[name].frames if name in opened else None,
                complete=len(complete_frames(self.project, opened[name])) if name in opened else 0,
            )
            for name in self.project.clip_names()
        ]
        return dict(
            folder=str(self.project.folder),
            clips=clips,
            models=self.project.models(),
            model=self.assistant.model,
            exports=list(WRITERS),
            max_upload=self.options.max_upload,
            cannot_train=self.options.cannot_train,
            job=self._shown_job(),
        )

    def open_clip(self, request: Request, body: Body) -> Any:
        """Open a clip by its name."""
        return self.project.open_clip(_text(body, 'name', _MAX_FILE_NAME))._asdict()

    def show_clip(self, request: Request) -> Any:
        """Targets and labels of a clip; of the labels those after the revision ``since``."""
        clip = self.store.clip(request.path_params['clip'])
        labels = self.store.labels(clip.id, int(request.query_params.get('since', 0)))
        return dict(
            clip=clip._asdict(),
            targets=[target._asdict() for target in self.store.targets(clip.id)],
            labels=[
                [one.revision, one.target, one.frame, one.kind, one.hand, one.score]
                for one in labels
            ],
            undo=self.store.last_step(clip.id),
            job=self._shown_job(),
            model=self.assistant.model,
        )

    def show_frame(self, request: Request) -> Response:
        """A frame as JPEG."""
        frame = self.project.frames(request.path_params['clip']).read(request.path_params['frame'])
        _, encoded = cv2.imencode('.jpg', frame, _JPEG)
        kept = {'cache-control': 'private, max-age=600'}
        return Response(encoded.tobytes(), media_type='image/jpeg', headers=kept)

    def show_label(self, request: Request) -> Any:
        """Run lengths of a mask, row by row."""
        label = self.store.label(request.path_params['revision'])
        clip = self.store.clip(self.store.target(label.target).clip)
        return dict(runs=encode_runs(self.project.mask(clip, label)).tolist())

    def add_target(self, request: Request, body: Body) -> Any:
        """Add a target."""
        clip = request.path_params['clip']
        return self.store.add_target(clip, _text(body, 'name'), _color(body))._asdict()

    def change_target(self, request: Request, body: Body) -> Any:
        """Rename or recolour a target."""
        values = _text(body, 'name'), _color(body), _number(body, 'seen')
        return self.store.change_target(request.path_params['target'], *values)._asdict()

    def remove_target(self, request: Request, body: Body) -> Any:
        """Remove a target."""
        self.store.remove_target(request.path_params['target'])

    def put_label(self, request: Request, body: Body) -> Any:
        """Label a target in a frame by a mask, a box, a point or a word."""
        target = self.store.target(request.path_params['target'])
        clip = self.store.clip(target.clip)
        first, last = _number(body, 'frame'), _number(body, 'until', _number(body, 'frame'))
        if not 0 <= first <= last < clip.frames:
            raise ValueError(f'{clip.name} has the frames 0 to {clip.frames - 1}')
        kind = body.get('kind', MASK)
        if kind not in KINDS or (kind == MASK and last > first):
            raise ValueError(f'a label is one of {", ".join(KINDS)}, a mask of one frame')
        file = None
        if kind == MASK:
            mask = self._read_mask(body, clip, first)
            file = self.project.save_mask(clip, target.id, first, mask, flush=True)
        frames, what = range(first, last + 1), f'{kind} in frame {first}'
        seen = _number(body, 'seen', 0)
        label = self.store.put_hand(target.id, frames, kind, file, seen, what)
        return dict(revision=label.revision, kind=label.kind if label.kind != NONE else None)

    def undo(self, request: Request, body: Body) -> Any:
        """Take back the last step in a clip."""
        clip = request.path_params['clip']
        job = self.jobs.state
        if job is not None and job.running and job.clip == clip:
            raise BusyError('tracking is running: stop it first')
        self.store.undo(clip, _number(body, 'seen'))

    def track(self, request: Request, body: Body) -> Any:
        """Track what is not up to date, or from the anchor nearest to a frame."""
        clip = self.store.clip(request.path_params['clip'])
        ways = body.get('directions', DIRECTIONS)
        chosen = body.get('targets') or [target.id for target in self.store.targets(clip.id)]
        labels = self.store.labels(clip.id)
        runs = []
        for target in chosen:
            own = [one for one in labels if one.target == target]
            runs += plan_runs(own, clip.frames, ways, body.get('frame'))
        if not runs:
            raise ValueError('nothing is left to track: mark a target, or correct a frame')
        self.jobs.start(
            'track', lambda state: self.assistant.track(clip, runs, 'tracking', state), clip.id
        )

    def stop(self, request: Request, body: Body) -> Any:
        """Stop what runs."""
        self.jobs.stop()

    def use_model(self, request: Request, body: Body) -> Any:
        """Take another tracker."""
        self.assistant.use(_text(body, 'name', _MAX_FILE_NAME))

    def export(self, request: Request, body: Body) -> Any:
        """Write a dataset into the project's folder ``exports``."""
        kind = _text(body, 'kind')
        if kind not in WRITERS:
            raise ValueError(f'there is no export {kind}')
        out = self.project.own_path('exports', kind)
        self.jobs.start('export', lambda state: asdict(export(self.project, kind, out, (), state)))

    def compare(self, request: Request, body: Body) -> Any:
        """Measure trackers on the labelled frames."""
        models, clips = _texts(body, 'models'), _texts(body, 'clips')
        for name in models:
            self.project.model_folder(name)
        self.jobs.start(
            'compare', lambda state: compare(self.project, self.assistant, models, clips, state)
        )

    def show_trainings(self, request: Request) -> Any:
        """The trainings, the newest last."""
        return [self.training.shown(name) for name in self.training.names()]

    def prepare_training(self, request: Request, body: Body) -> Any:
        """Export the labels and write the config of a training."""
        numbers = [_number(body, key) for key in ('epochs', 'samples', 'batch_size')]
        name, clips, part = _text(body, 'name'), _texts(body, 'clips'), _text(body, 'part')
        return dict(command=self.training.prepare(name, clips, *numbers, part))

    def start_training(self, request: Request, body: Body) -> Any:
        """Start or resume a training."""
        if self.options.cannot_train:
            raise ValueError(self.options.cannot_train)
        self.training.start(_text(body, 'name'))

    def stop_training(self, request: Request, body: Body) -> Any:
        """Stop a training."""
        self.training.stop(_text(body, 'name'))

    def show_review(self, request: Request) -> Response:
        """A review page, whose script stands in the page; it was checked to be the package's own."""
        page = self.reviews.page(request.path_params['name'])
        return HTMLResponse(page, headers={'content-security-policy': _REVIEW_POLICY})

    def show_decisions(self, request: Request) -> Any:
        """Decisions on the alarms of a review page."""
        return self.reviews.decisions(request.path_params['name'])

    def save_decisions(self, request: Request, body: Body) -> Any:
        """Add decisions."""
        lines = body.get('lines')
        if not isinstance(lines, str):
            raise ValueError('lines must be a text')
        self.reviews.save(request.path_params['name'], lines)

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
            source = await run_in_threadpool(FrameSource, unfinished)
            source.close()
        return JSONResponse(dict(name=name))

    def _read_mask(self, body: Body, clip: Any, frame: int) -> np.ndarray:
        """The mask that a request describes."""
        if 'runs' in body:
            mask = decode_runs(body['runs'], (clip.height, clip.width))
            if not mask.any():
                raise ValueError('the mask is empty: mark the target as absent instead')
            return mask
        image = self.project.frames(clip.id).read(frame)
        if 'box' in body:
            return self.assistant.mask_of_box(image, body['box'])
        if 'point' in body:
            return self.assistant.mask_of_point(image, body['point'])
        raise ValueError('a mask needs runs, a box or a point')

    def _shown_job(self) -> Body | None:
        state: JobState | None = self.jobs.state
        return None if state is None else state.shown()


def _asked(work: Callable[[Request], Any]) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        return _response(await run_in_threadpool(work, request))

    return answer


def _sent(work: Callable[[Request, Body], Any]) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        content = b''.join([part async for part in _limited(request, _MAX_BODY)])
        body = json.loads(content or b'{}')
        if not isinstance(body, dict):
            raise ValueError('a request is an object in JSON')
        return _response(await run_in_threadpool(work, request, body))

    return answer


def _response(result: Any) -> Response:
    return result if isinstance(result, Response) else JSONResponse(result)


async def _limited(request: Request, limit: int) -> Any:
    """The parts of a request's body.

    Raises:
        TooLargeError: As soon as they are more than the limit, or are said to be.
    """
    size = int(request.headers.get('content-length') or 0)
    received = 0
    if size <= limit:
        async for part in request.stream():
            received += len(part)
            if received > limit:
                break
            yield part
    if max(size, received) > limit:
        raise TooLargeError(
            f'more than {limit / 2**20:.0f} MB are not taken: copy large videos into the folder'
        )


def _explain(request: Request, error: Exception) -> Response:
    """What went wrong, in a line."""
    status = next((code for kind, code in _STATUS.items() if isinstance(error, kind)), 500)
    if isinstance(error, TooLargeError):
        status = 413
    text = error.args[0] if isinstance(error, KeyError) and error.args else str(error)
    return JSONResponse(dict(error=' '.join(str(text).split()) or type(error).__name__), status)


def _text(body: Body, key: str, longest: int = _MAX_NAME) -> str:
    value = body.get(key)
    if not isinstance(value, str) or not value.strip() or len(value) > longest or '\n' in value:
        raise ValueError(
            f'{key} must be a text of 1 to {longest} characters, got {str(value)[:80]!r}'
        )
    return value.strip()


def _texts(body: Body, key: str) -> list[str]:
    value = body.get(key)
    if not isinstance(value, list) or not value or not all(isinstance(one, str) for one in value):
        raise ValueError(f'{key} must be a list of texts, got {str(value)[:80]!r}')
    return value


def _number(body: Body, key: str, default: int | None = None) -> int:
    value = body.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f'{key} must be a whole number, got {str(value)[:80]!r}')
    return value


def _color(body: Body) -> str:
    value = _text(body, 'color')
    if len(value) != 7 or value[0] != '#' or not set(value[1:]) <= set('0123456789abcdefABCDEF'):
        raise ValueError(f'color must be #rrggbb, got {value!r}')
    return value
