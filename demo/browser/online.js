// The online model outside the networks: a correlation filter that is learned while the video runs.

import { center, sides } from './crops.js';

const TAPS = 9; // cells of the filter, 3 x 3
const STEPS = 6; // of conjugate gradients
const CONSTANT = 0.3; // the filter's constant input
const RIDGE = 1e-2;
const [ON_TARGET, BACKGROUND, HARD] = [0.05, 0.3, 0.05];

/** A search crop as the model sees it: features of length 1 in each cell, and where the crop lies. */
export function viewOf(map, box, scale, searchSize, stride) {
  const [, channels, rows, columns] = map.dims;
  const cells = rows * columns;
  const features = new Float32Array(map.data);
  for (let at = 0; at < cells; at++) {
    let squares = 0;
    for (let c = 0; c < channels; c++) squares += features[c * cells + at] ** 2;
    const length = Math.sqrt(squares) + 1e-6;
    for (let c = 0; c < channels; c++) features[c * cells + at] /= length;
  }
  return { features, channels, rows, columns, box, scale, searchSize, stride };
}

/** The feature map of the head's stride among the outputs of the search graph; undefined without one. */
export function featureMap(maps, searchSize, stride) {
  const side = Math.ceil(searchSize / stride);
  return Object.keys(maps).filter((name) => name.startsWith('fine_')).map((name) => maps[name])
    .find((map) => map.dims.at(-1) === side);
}

export class OnlineModel {
  /** Learn from the first frame: its view, and the target's box. */
  constructor(view, box) {
    const labels = label(view, box);
    const all = Array.from(labels, (_, at) => at);
    const share = (at) => (labels[at] >= ON_TARGET ? 1 : BACKGROUND) / labels.length;
    this.first = equations(view, labels, all, share);
    this.recent = null;
    this.frames = 0;
    this.weights = solve(withRidge(this.first.gram), this.first.moment);
  }

  /** Score of each cell of a view. */
  cellScores({ features, channels, rows, columns }) {
    const cells = rows * columns;
    const scores = new Float64Array(cells).fill(this.weights[channels * TAPS] * CONSTANT);
    for (let c = 0; c < channels; c++) {
      for (let tap = 0; tap < TAPS; tap++) {
        const [down, right] = [Math.floor(tap / 3) - 1, (tap % 3) - 1];
        const weight = this.weights[c * TAPS + tap];
        for (let row = Math.max(0, -down); row < Math.min(rows, rows - down); row++) {
          const from = c * cells + (row + down) * columns + right;
          const end = Math.min(columns, columns - right);
          for (let col = Math.max(0, -right); col < end; col++) {
            scores[row * columns + col] += weight * features[from + col];
          }
        }
      }
    }
    return scores;
  }

  /** The same at the locations of a score map of that side, in [0, 1]. */
  scores(view, side) {
    const { rows, columns, searchSize, stride } = view;
    const found = this.cellScores(view);
    const axis = Array.from({ length: side }, (_, i) => {
      const at = ((i - (side >> 1)) * stride + (searchSize >> 1)) / stride;
      const low = Math.min(Math.max(Math.floor(at), 0), rows - 2);
      return [low, at - low];
    });
    return Float32Array.from({ length: side * side }, (_, at) => {
      const [[row, down], [col, right]] = [axis[Math.floor(at / side)], axis[at % side]];
      const along = (r) => found[r * columns + col] * (1 - right) + found[r * columns + col + 1] * right;
      return Math.min(Math.max(along(row) * (1 - down) + along(row + 1) * down, 0), 1);
    });
  }

  /** Learn from a later frame in which the target was found. */
  update(view, box, rate) {
    const [labels, scores] = [label(view, box), this.cellScores(view)];
    const used = Array.from(labels, (_, at) => at)
      .filter((at) => labels[at] >= ON_TARGET || scores[at] > HARD);
    const seen = equations(view, labels, used, () => 1 / labels.length);
    const mixed = (name) =>
      seen[name].map((v, i) => (1 - rate) * (this.recent ? this.recent[name][i] : 0) + rate * v);
    this.recent = { gram: mixed('gram'), moment: mixed('moment') };
    const matrix = withRidge(this.first.gram.map((v, i) => v + this.recent.gram[i]));
    const moments = this.first.moment.map((v, i) => v + this.recent.moment[i]);
    this.weights = improve(matrix, moments, this.weights);
  }
}

/** The wanted scores: a Gaussian around the target's centre. */
function label({ rows, columns, box: around, scale, searchSize, stride }, box) {
  const zoom = scale / stride;
  const middle = center(around);
  const [x, y] = center(box).map((v, i) => (searchSize >> 1) / stride + (v - middle[i]) * zoom);
  const [width, height] = sides(box);
  const sigma = Math.max(0.25 * zoom * Math.sqrt(width * height), 0.6);
  const bell = (at, middle) => Math.exp(-0.5 * ((at - middle) / sigma) ** 2);
  return Float64Array.from({ length: rows * columns }, (_, at) =>
    bell(at % columns, x) * bell(Math.floor(at / columns), y));
}

/** Normal equations of the 3 x 3 cells around some cells, and a constant. */
function equations({ features, channels, rows, columns }, labels, used, share) {
  const count = channels * TAPS + 1;
  const gram = new Float64Array(count * count);
  const moment = new Float64Array(count);
  const around = new Float32Array(count);
  around[count - 1] = CONSTANT;
  for (const at of used) {
    const [row, col] = [Math.floor(at / columns), at % columns];
    for (let tap = 0; tap < TAPS; tap++) {
      const [r, q] = [row + Math.floor(tap / 3) - 1, col + (tap % 3) - 1];
      const inside = r >= 0 && r < rows && q >= 0 && q < columns;
      for (let c = 0; c < channels; c++) {
        around[c * TAPS + tap] = inside ? features[(c * rows + r) * columns + q] : 0;
      }
    }
    const weight = share(at);
    for (let i = 0; i < count; i++) {
      const value = weight * around[i];
      moment[i] += value * labels[at];
      for (let j = 0; j <= i; j++) gram[i * count + j] += value * around[j];
    }
  }
  for (let i = 0; i < count; i++) {
    for (let j = i + 1; j < count; j++) gram[i * count + j] = gram[j * count + i];
  }
  return { gram, moment };
}

function withRidge(gram) {
  const count = Math.sqrt(gram.length);
  const matrix = new Float64Array(gram);
  let trace = 0;
  for (let i = 0; i < count; i++) trace += matrix[i * count + i];
  for (let i = 0; i < count; i++) matrix[i * count + i] += (RIDGE * trace) / count;
  return matrix;
}

/** The solution of matrix x = moment, by Cholesky's factors. */
function solve(matrix, moment) {
  const count = moment.length;
  const lower = new Float64Array(matrix);
  const x = new Float64Array(moment);
  for (let i = 0; i < count; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = lower[i * count + j];
      for (let k = 0; k < j; k++) sum -= lower[i * count + k] * lower[j * count + k];
      lower[i * count + j] = i === j ? Math.sqrt(sum) : sum / lower[j * count + j];
    }
  }
  for (let i = 0; i < count; i++) {
    for (let k = 0; k < i; k++) x[i] -= lower[i * count + k] * x[k];
    x[i] /= lower[i * count + i];
  }
  for (let i = count - 1; i >= 0; i--) {
    for (let k = i + 1; k < count; k++) x[i] -= lower[k * count + i] * x[k];
    x[i] /= lower[i * count + i];
  }
  return x;
}

/** A solution that some steps of conjugate gradients brought nearer. */
function improve(matrix, moment, start) {
  const count = moment.length;
  const times = (v) => v.map((_, i) => {
    let sum = 0;
    for (let k = 0; k < count; k++) sum += matrix[i * count + k] * v[k];
    return sum;
  });
  const dot = (a, b) => a.reduce((sum, v, i) => sum + v * b[i], 0);
  const x = new Float64Array(start);
  const image = times(x);
  const residual = moment.map((v, i) => v - image[i]);
  let direction = new Float64Array(residual);
  let power = dot(residual, residual);
  for (let step = 0; step < STEPS && power > 0; step++) {
    const moved = times(direction);
    const length = power / dot(direction, moved);
    for (let i = 0; i < count; i++) {
      x[i] += length * direction[i];
      residual[i] -= length * moved[i];
    }
    const before = power;
    power = dot(residual, residual);
    direction = direction.map((v, i) => residual[i] + (power / before) * v);
  }
  return x;
}
