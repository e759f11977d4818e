// The page: files in, a box, then a line a frame and the contour drawn in. Nothing leaves the machine.

import * as ort from './node_modules/onnxruntime-web/dist/ort.wasm.min.mjs';
import { Tracker } from './tracker.js';

const MODEL = '../../mmpolar/model_zoo/ocean-polar_effnet-lite0_natural/';
const folder = new URLSearchParams(location.search).get('model') ?? MODEL;

const [files, rate, box, track, state, view, lines] = [
  'files', 'rate', 'box', 'track', 'state', 'view', 'lines',
].map((id) => document.getElementById(id));
const context = view.getContext('2d', { willReadFrequently: true });
let source = null;
let dragged = null;

files.addEventListener('change', () => attempt(showFirst));
track.addEventListener('click', () => attempt(trackAll));
view.addEventListener('pointerdown', (event) => (dragged = pixelOf(event)));
view.addEventListener('pointermove', (event) => dragged && showDragged(pixelOf(event)));
view.addEventListener('pointerup', () => (dragged = null));

async function attempt(task) {
  track.disabled = true;
  try {
    await task();
  } catch (error) {
    state.value = `Failed: ${error.message}`;
  }
  track.disabled = !source;
}

async function showFirst() {
  source = await openSource([...files.files]);
  await source.draw(0);
  state.value = `${source.count} frames of ${view.width} x ${view.height} pixels.`;
}

async function trackAll() {
  const [left, top, width, height] = box.value.split(',').map(Number);
  if (!(width > 0 && height > 0)) throw new Error('the box is left,top,width,height in pixels');
  state.value = 'Loading the tracker ...';
  const tracker = await Tracker.load(ort, folder);
  lines.value = '';
  for (let number = 0; number < source.count; number++) {
    const frame = await source.draw(number);
    const result = number
      ? await tracker.step(frame)
      : await tracker.init(frame, [left, top, left + width, top + height]);
    showResult(result);
    state.value = `Frame ${number + 1} of ${source.count}`;
  }
  state.value = `Done: ${source.count} frames.`;
}

/** Frames by number, drawn on the canvas. */
async function openSource(chosen) {
  if (!chosen.length) throw new Error('no file');
  if (chosen[0].type.startsWith('video/')) return openVideo(chosen[0]);
  const names = new Intl.Collator('en', { numeric: true });
  chosen.sort((a, b) => names.compare(a.name, b.name));
  return {
    count: chosen.length,
    draw: async (number) => drawn(await createImageBitmap(chosen[number])),
  };
}

async function openVideo(file) {
  const video = document.createElement('video');
  video.muted = true;
  video.src = URL.createObjectURL(file);
  const happened = (name) =>
    new Promise((resolve, reject) => {
      video.addEventListener(name, resolve, { once: true });
      video.addEventListener('error', () => reject(new Error(video.error.message)), { once: true });
    });
  await happened('loadeddata');
  const step = 1 / Number(rate.value);
  return {
    count: Math.max(1, Math.floor(video.duration / step)),
    draw: async (number) => {
      const sought = happened('seeked');
      video.currentTime = (number + 0.5) * step;
      await sought;
      return drawn(video, video.videoWidth, video.videoHeight);
    },
  };
}

function drawn(image, width = image.width, height = image.height) {
  if (view.width !== width || view.height !== height) Object.assign(view, { width, height });
  context.drawImage(image, 0, 0);
  return context.getImageData(0, 0, width, height);
}

function showResult({ box: [x1, y1, x2, y2], score, visible, contour }) {
  const values = [x1, y1, x2 - x1, y2 - y1].map((v) => v.toFixed(3));
  lines.value += `${values},${score.toFixed(5)},${Number(visible)}\n`;
  context.lineWidth = 2;
  context.strokeStyle = visible ? 'orange' : 'gray';
  // Pixel centres are whole numbers in mmpolar, pixel corners are on a canvas.
  context.strokeRect(x1 + 0.5, y1 + 0.5, x2 - x1, y2 - y1);
  if (!contour) return;
  context.strokeStyle = 'deepskyblue';
  context.beginPath();
  contour.forEach(([x, y]) => context.lineTo(x + 0.5, y + 0.5));
  context.closePath();
  context.stroke();
}

function pixelOf(event) {
  const scale = view.width / view.clientWidth;
  return [event.offsetX * scale, event.offsetY * scale];
}

async function showDragged(end) {
  if (!source || track.disabled) return;
  const start = dragged;
  const corner = start.map((v, i) => Math.min(v, end[i]));
  const size = start.map((v, i) => Math.abs(v - end[i]));
  box.value = [...corner, ...size].map((v) => Math.round(v)).join(',');
  await source.draw(0);
  context.lineWidth = 2;
  context.strokeStyle = 'orange';
  context.strokeRect(...corner, ...size);
}
