// The page: what is open, what the keys do, and how it stays up to date with the server.

import { get, getBlob, post, upload } from './api.js';
import { $, element } from './dom.js';
import { decodeRuns, encodeRuns, paintMask } from './masks.js';
import { Panels } from './panels.js';
import { Stage } from './stage.js';
import { Timeline } from './timeline.js';

const COLORS = ['#ff8c00', '#28a0ff', '#50dc50', '#ff64dc', '#f0e600', '#825af0'];
const BUSY_MS = 250, IDLE_MS = 2000, PLAY_MS = 40;
const MOST_IMAGES = 24, MOST_MASKS = 80;

const state = {
  project: null, clip: null, targets: [], labels: new Map(), revision: 0, undo: null, job: null,
  frame: 0, target: null, playing: false, hidden: false, ended: null,
};
const images = new Map();
const masks = new Map();
let stroke = null; // a mask that was painted, until the server has it
let changes = Promise.resolve(); // one after the other, so that each is based on the one before

const stage = new Stage($('canvas'), {
  box: (x1, y1, x2, y2) => mark({ box: [x1 - 0.5, y1 - 0.5, x2 - 0.5, y2 - 0.5] }),
  point: (x, y) => mark({ point: [x - 0.5, y - 0.5] }),
  stroke: (mask) => paint(mask),
  canPaint: () => Boolean(chosen()) && (painted() || current()?.kind !== 'mask' || masks.has(current().revision)),
  mask: () => (painted() ?? masks.get(current()?.revision))?.mask,
  color: () => chosen()?.color ?? COLORS[0],
});
const timeline = new Timeline($('timeline'), scrub);
const panels = new Panels(state, { say, act, poll, refreshProject });

function say(text, isError = false) {
  $('message').textContent = text;
  $('message').classList.toggle('error', isError);
}

// Does something, and says what went wrong.
async function act(work) {
  try {
    return await work();
  } catch (error) {
    say(error.message, true);
    if (error.status === 409) await refresh();
    return undefined;
  }
}

function change(work) {
  changes = changes.then(() => act(work)).then(() => act(refresh));
  return changes;
}

const chosen = () => state.targets.find((target) => target.id === state.target);
const labelAt = (target, frame) => state.labels.get(target)?.get(frame);
const current = () => labelAt(state.target, state.frame);
const painted = () => (stroke?.target === state.target && stroke.frame === state.frame ? stroke : null);
const framesWhere = (test) =>
  [...(state.labels.get(state.target)?.values() ?? [])].filter(test).map((one) => one.frame).sort((a, b) => a - b);
const handFrames = () => framesWhere((one) => one.hand);
const lostFrames = () => framesWhere((one) => one.kind === 'lost');

async function refreshProject() {
  state.project = await get('project');
  const { project } = state;
  $('folder').textContent = project.folder;
  fill($('model'), project.models, project.model);
  fill($('kind'), project.exports, $('kind').value);
  $('clips').replaceChildren(...project.clips.map((clip) => {
    const item = document.createElement('li');
    item.classList.toggle('chosen', clip.name === state.clip?.name);
    const count = clip.frames === null ? '' : `${clip.complete}/${clip.frames}`;
    item.append(element('span', clip.name, 'name'), element('small', count));
    item.onclick = () => act(() => open(clip.name));
    return item;
  }));
  const complete = project.clips.reduce((sum, clip) => sum + clip.complete, 0);
  $('complete').textContent = `${complete} frame${complete === 1 ? '' : 's'}`;
  document.body.classList.toggle('empty', !state.clip);
  if (!project.clips.length) $('hint').textContent = 'No video yet: press “Add a video”, or copy videos and folders of images into the folder above and load the page again';
  panels.show();
}

function fill(select, names, value) {
  if ([...select.options].map((option) => option.value).join() !== names.join()) {
    select.replaceChildren(...names.map((name) => new Option(name, name)));
  }
  if (value) select.value = value;
}

let opened = Promise.resolve(); // one clip after the other, whoever is faster
function open(name) {
  opened = opened.catch(() => {}).then(() => openClip(name));
  return opened;
}

async function openClip(name) {
  say(`opening ${name}`);
  state.clip = await post('open', { name });
  Object.assign(state, { labels: new Map(), revision: 0, frame: 0, target: null, playing: false });
  images.clear();
  await refresh();
  if (!state.targets.length) await addTarget();
  state.target ??= state.targets[0]?.id ?? null;
  await refreshProject();
  say('');
  await show(0);
}

// Takes over what has changed since the last time, by this page or another.
async function refresh() {
  if (!state.clip) return;
  const clip = state.clip.id;
  const news = await get(`clips/${clip}?since=${state.revision}`);
  if (clip !== state.clip?.id) return;
  const isNews = news.labels.length > 0 || news.targets.length !== state.targets.length;
  Object.assign(state, { targets: news.targets, undo: news.undo, job: news.job });
  for (const label of news.labels) {
    if (!state.labels.has(label.target)) state.labels.set(label.target, new Map());
    const frames = state.labels.get(label.target);
    if (label.kind === 'none') frames.delete(label.frame); else frames.set(label.frame, label);
    state.revision = Math.max(state.revision, label.revision);
  }
  if (!chosen()) state.target = state.targets[0]?.id ?? null;
  const { job } = state;
  const hasEnded = showJob();
  showTargets();
  if (hasEnded || (isNews && !job?.running)) act(refreshProject);
  const isHere = job?.kind === 'track' && job.clip === clip && job.frame !== null && (job.running || hasEnded);
  if (isHere && $('follow').checked) await show(job.frame);
  else if (news.labels.length) await show(state.frame);
  else drawTimeline();
}

// Shows how far the job is; tells whether it has ended since the last time.
function showJob() {
  const { job } = state;
  const running = Boolean(job?.running);
  $('progress').hidden = $('stop').hidden = !running;
  if (running) {
    $('progress').max = job.total || 1;
    $('progress').value = job.done;
    say(`${job.kind}: ${job.done} of ${job.total}`);
  }
  // A job that was over when the page was opened is no news.
  state.ended ??= job && !running ? job.number : 0;
  const hasEnded = Boolean(job) && !running && job.number > state.ended;
  if (hasEnded) {
    state.ended = job.number;
    say(job.error ? `${job.kind} failed: ${job.error}` : `${job.kind} has ended${job.kind === 'track' ? shownLost() : ''}`, Boolean(job.error));
    panels.take(job);
  }
  for (const id of ['track', 'forward', 'backward', 'export', 'compare']) $(id).disabled = running;
  $('undo').disabled = !state.undo || running;
  $('undo').title = state.undo ? `take back: ${state.undo[1]} (Ctrl+Z)` : 'nothing to take back';
  return hasEnded;
}

function shownLost() {
  const lost = lostFrames().length;
  return lost ? `: ${chosen().name} is lost in ${lost} frame${lost === 1 ? '' : 's'}, G goes to the next one` : ': look through the frames, and correct where it errs';
}

function showTargets() {
  const key = JSON.stringify([state.targets, state.target]);
  if ($('targets').dataset.key === key) return;
  $('targets').dataset.key = key;
  $('targets').replaceChildren(...state.targets.map((target, index) => {
    const item = document.createElement('li');
    item.classList.toggle('chosen', target.id === state.target);
    const color = element('input', '');
    Object.assign(color, { type: 'color', value: target.color, title: 'colour' });
    color.onchange = () => changeTarget(target, { color: color.value });
    const name = element('span', target.name, 'name');
    name.ondblclick = () => rename(target);
    const pen = button('✎', 'rename (R)', () => rename(target));
    const remove = button('✕', 'remove the target with its labels; undo brings it back', () =>
      change(() => post(`targets/${target.id}/remove`)));
    item.append(color, name, element('small', index < 9 ? `${index + 1}` : ''), pen, remove);
    item.onclick = () => choose(target.id);
    return item;
  }));
}

function button(sign, title, work) {
  const made = element('button', sign);
  made.title = title;
  made.onclick = (event) => {
    event.stopPropagation();
    work();
  };
  return made;
}

const changeTarget = (target, { name = target.name, color = target.color }) =>
  change(() => post(`targets/${target.id}`, { name, color, seen: target.revision }));

function rename(target) {
  const name = target && prompt('name of the target', target.name);
  if (name?.trim()) changeTarget(target, { name: name.trim() });
}

function choose(target) {
  state.target = target;
  showTargets();
  show(state.frame);
}

const addTarget = () => change(async () => {
  const [names, colors] = ['name', 'color'].map((key) => new Set(state.targets.map((target) => target[key])));
  let number = state.targets.length + 1;
  while (names.has(`target ${number}`)) number += 1;
  const color = COLORS.find((one) => !colors.has(one)) ?? COLORS[(number - 1) % COLORS.length];
  const target = await post(`clips/${state.clip.id}/targets`, { name: `target ${number}`, color });
  state.target = target.id;
});

// Keeps an entry, and of the others the newest.
function keep(entries, key, value, most) {
  entries.set(key, value);
  while (entries.size > most) entries.delete(entries.keys().next().value);
}

async function loadImage(frame) {
  const path = `clips/${state.clip.id}/frames/${frame}`;
  if (!images.has(path)) {
    keep(images, path, getBlob(path).then(createImageBitmap), MOST_IMAGES);
    images.get(path).catch(() => images.delete(path));
  }
  return images.get(path);
}

async function loadMask(label, target) {
  const { width, height } = state.clip;
  if (painted() && target.id === state.target) {
    return { canvas: paintMask(stroke.mask, width, height, target.color), isEdited: true };
  }
  if (!masks.has(label.revision)) {
    const { runs } = await get(`labels/${label.revision}`);
    keep(masks, label.revision, { mask: decodeRuns(runs, width * height) }, MOST_MASKS);
  }
  const entry = masks.get(label.revision);
  if (entry.color !== target.color) {
    Object.assign(entry, { color: target.color, canvas: paintMask(entry.mask, width, height, target.color) });
  }
  return { canvas: entry.canvas, isEdited: target.id === state.target };
}

let asked = 0;
async function show(frame) {
  if (!state.clip) return;
  state.frame = Math.min(state.clip.frames - 1, Math.max(0, frame));
  const number = ++asked;
  drawTimeline();
  await act(async () => {
    const shown = state.hidden ? [] : state.targets
      .map((target) => [labelAt(target.id, state.frame), target])
      .filter(([label, target]) => label?.kind === 'mask' || (painted() && target.id === state.target));
    const [image, ...overlays] = await Promise.all([
      loadImage(state.frame), ...shown.map(([label, target]) => loadMask(label, target)),
    ]);
    if (number !== asked) return;
    stage.show(image, overlays);
    $('canvas').dataset.frame = state.frame;
  });
  if (number === asked && state.frame + 1 < state.clip.frames) loadImage(state.frame + 1).catch(() => {});
}

function drawTimeline() {
  const { clip, frame } = state;
  $('number').textContent = `frame ${frame} of ${clip.frames}`;
  timeline.show(clip.frames, state.targets, state.labels, frame, state.target);
  const label = current();
  $('hint').textContent = hint(label);
  for (const id of ['absent', 'lost']) $(id).classList.toggle('chosen', label?.kind === id && label.hand);
  $('clear').disabled = !label?.hand;
}

function hint(label) {
  const name = chosen()?.name ?? 'target';
  if (label?.kind === 'absent') return `${name} is marked as absent`;
  if (label?.kind === 'lost') return label.hand ? `${name}: not known here` : `the tracker has lost ${name}: mark it, or press A if it is not visible`;
  if (label) return '';
  return state.labels.get(state.target)?.size ? `${name} has no label here: press T to track` : `Mark ${name}: draw a box around it, or click on it`;
}

function paint(mask) {
  if (!mask.includes(1)) return current() && mark({ kind: 'absent' });
  const own = stroke = { target: state.target, frame: state.frame, mask };
  show(state.frame);
  return mark({ runs: encodeRuns(mask) }, (revision) => masks.set(revision, { mask })).finally(() => {
    if (stroke === own) stroke = null;
  });
}

async function mark(what, take = () => {}) {
  const target = chosen(), { frame } = state;
  if (!target) return say('add a target first', true);
  if (state.job?.running) return say('stop the tracking first (Escape)', true);
  say(what.box || what.point ? 'looking for the contour' : '');
  return change(async () => {
    const known = labelAt(target.id, frame);
    const seen = known?.hand ? known.revision : 0;
    const { revision } = await post(`targets/${target.id}/label`, { ...what, frame, seen });
    take(revision);
    say(what.kind ? `frame ${frame} is marked` : `frame ${frame} is labelled: press T to track on`);
  });
}

function markUntilNext(kind) {
  const next = handFrames().find((frame) => frame > state.frame) ?? state.clip.frames;
  mark({ kind, until: next - 1 });
}

const track = (options) => act(async () => {
  if (!state.clip) return;
  await changes;
  await post(`clips/${state.clip.id}/track`, options);
  $('follow').checked = true;
  await refresh();
  poll();
});

const undo = () => state.undo && change(async () => {
  const [seen, what] = state.undo;
  await post(`clips/${state.clip.id}/undo`, { seen });
  say(`taken back: ${what}`);
});
const stop = () => act(() => post('stop'));

function chooseTool(tool) {
  stage.tool = tool;
  for (const button of document.querySelectorAll('[data-tool]')) {
    button.classList.toggle('chosen', button.dataset.tool === tool);
  }
  stage.draw();
}

function resizeBrush(factor) {
  $('brush-size').value = stage.brush = Math.min(120, Math.max(1, Math.round(stage.brush * factor)));
  stage.draw();
}

function goTo(frames, isAhead) {
  const found = isAhead ? frames.find((frame) => frame > state.frame) : frames.findLast((frame) => frame < state.frame);
  if (found !== undefined) scrub(found);
}

function scrub(frame) {
  $('follow').checked = false;
  show(frame);
}

async function play() {
  state.playing = !state.playing;
  $('play').textContent = state.playing ? 'Pause' : 'Play';
  while (state.playing && state.frame + 1 < state.clip.frames) {
    const start = performance.now();
    await show(state.frame + 1);
    await new Promise((done) => { setTimeout(done, Math.max(0, PLAY_MS - (performance.now() - start))); });
  }
  state.playing = false;
  $('play').textContent = 'Play';
}

const KEYS = {
  b: ['draw a box around the target', () => chooseTool('box')],
  c: ['click on the target', () => chooseTool('point')],
  d: ['brush: paint the mask', () => chooseTool('brush')],
  e: ['eraser: erase from the mask', () => chooseTool('eraser')],
  '[': ['smaller brush', () => resizeBrush(0.8)],
  ']': ['larger brush', () => resizeBrush(1.25)],
  t: ['track all that is not up to date', () => track({})],
  f: ['track on from the nearest label by hand', () => track({ frame: state.frame, directions: ['forward'] })],
  T: ['track back from the nearest label by hand', () => track({ frame: state.frame, directions: ['backward'] })],
  Escape: ['stop', stop],
  a: ['absent: the target is not visible', () => mark({ kind: 'absent' })],
  A: ['absent until the next label by hand', () => markUntilNext('absent')],
  l: ['lost: not known here, left out of exports', () => mark({ kind: 'lost' })],
  Delete: ['take the label back', () => mark({ kind: 'none' })],
  z: ['with Ctrl: undo', undo],
  ArrowLeft: ['frame before; with Shift 10', (event) => scrub(state.frame - (event.shiftKey ? 10 : 1))],
  ArrowRight: ['next frame; with Shift 10', (event) => scrub(state.frame + (event.shiftKey ? 10 : 1))],
  Home: ['first frame', () => scrub(0)],
  End: ['last frame', () => scrub(state.clip.frames - 1)],
  j: ['label by hand before', () => goTo(handFrames(), false)],
  k: ['next label by hand', () => goTo(handFrames(), true)],
  g: ['next frame in which the target is lost', () => goTo(lostFrames(), true)],
  ' ': ['play', play],
  n: ['new target', addTarget],
  r: ['rename the target', () => rename(chosen())],
  h: ['hide the masks', () => { state.hidden = !state.hidden; show(state.frame); }],
  0: ['fit into the window; the wheel zooms, Shift and drag moves', () => stage.fit()],
  '?': ['this list', () => $('help').showModal()],
};

document.addEventListener('keydown', (event) => {
  if (event.target.matches('input:not([type=range], [type=checkbox], [type=color], [type=file]), select') || $('help').open) return;
  if ((event.ctrlKey || event.metaKey) !== (event.key === 'z')) return;
  const index = Number(event.key) - 1;
  if (KEYS[event.key] && (state.clip || event.key === '?')) {
    event.preventDefault();
    KEYS[event.key][1](event);
  } else if (index >= 0 && state.targets[index]) {
    choose(state.targets[index].id);
  }
});

const shownKey = (key) => (key === ' ' ? 'Space' : key);
$('keys').append(...[...Object.entries(KEYS), ['1 … 9', ['target']]].flatMap(([key, [meaning]]) =>
  [element('dt', shownKey(key)), element('dd', meaning)]));
for (const one of document.querySelectorAll('[data-key]')) {
  const [meaning, work] = KEYS[one.dataset.key];
  one.title = `${meaning} (${shownKey(one.dataset.key)})`;
  one.onclick = work;
}
$('brush-size').oninput = (event) => { stage.brush = Number(event.target.value); };
$('model').onchange = (event) => act(async () => {
  await post('model', { name: event.target.value });
  say(`${event.target.value} tracks from now on`);
});
$('upload').onchange = (event) => act(async () => {
  const [file] = event.target.files;
  if (file.size > state.project.max_upload) throw new Error('this video is too large: copy it into the folder');
  say(`copying ${file.name}`);
  await upload(file);
  event.target.value = '';
  await refreshProject();
  await open(file.name);
});

let timer;
async function poll() {
  clearTimeout(timer);
  if (!document.hidden) await act(refresh);
  await panels.poll();
  timer = setTimeout(poll, state.job?.running ? BUSY_MS : IDLE_MS);
}

chooseTool('box');
await act(async () => {
  await refreshProject();
  if (state.project.clips.length) await open(state.project.clips[0].name);
});
poll();
