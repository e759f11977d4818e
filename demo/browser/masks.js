// The mask stage outside its network: inputs, references, and what a mask says of the target.

import { center, crop, roundEven, sample, sides } from './crops.js';

const STRIDE = 2; // pixels of a crop that a cell of the mask covers along a side
const KEYS_STRIDE = 4; // cells that a key stands for along a side
const BOX_ERROR = 0.02; // what a given box may be too small by, as a share of its sides
const CLOSE_CONTEXT = 1.2; // side of the close crops of a given box, in units of its longer side

export const sigmoid = (x) => 0.5 * (1 + Math.tanh(0.5 * x));

/** Tensors of the graph, for a box [x1, y1, x2, y2] and a contour [[x, y], ...] in the frame. */
export function maskInputs(ort, frame, box, contour, memory, border, params) {
  const size = params.crop_size;
  const cells = size / STRIDE;
  const side = cropSide(box, params);
  const [x, y] = center(box);
  const toCrop = (at, middle) => ((at - middle) * size) / side + (size - 1) / 2;
  const inCrop = contour.map(([px, py]) => [toCrop(px, x), toCrop(py, y)]);
  const keyCount = (cells / KEYS_STRIDE) ** 2;
  const none = {
    keys: new Float32Array(params.key_channels * keyCount),
    shares: new Float32Array(cells * cells),
  };
  const references = [memory.first ?? none, memory.recent ?? none];
  const priors = [
    boxCoverage(sides(box).map((v) => (v * size) / side), cells),
    contourCoverage(inCrop, cells),
    references[1].shares,
  ];
  const tensor = (arrays, ...dims) => {
    const data = new Float32Array(arrays.reduce((sum, one) => sum + one.length, 0));
    arrays.forEach((one, i) => data.set(one, i * one.length));
    return new ort.Tensor('float32', data, [1, ...dims]);
  };
  return {
    crops: new ort.Tensor('uint8', crop(frame, [x, y], side, size, border), [1, size, size, 3]),
    priors: tensor(priors, 3, cells, cells),
    reference_keys: tensor(references.map((one) => one.keys), 2, params.key_channels, keyCount),
    reference_masks: tensor(references.map((one) => one.shares), 2, cells, cells),
  };
}

/** The parameters of close crops of a given box, which needs no room for drift. */
export const closeParams = (params) => ({ ...params, context: Math.min(params.context, CLOSE_CONTEXT) });

/** Inputs without references, left and right swapped. */
export function mirrored(ort, inputs) {
  const swapped = ({ type, data, dims }, width, channels) => {
    const at = (i) => {
      const column = Math.floor(i / channels) % width;
      return i + (width - 1 - 2 * column) * channels;
    };
    return new ort.Tensor(type, data.map((_, i) => data[at(i)]), dims);
  };
  const { crops, priors } = inputs;
  return { ...inputs, crops: swapped(crops, crops.dims[2], 3), priors: swapped(priors, priors.dims[3], 1) };
}

/** The mean of what the stage says about the crop of a given box, a close one, and that one mirrored. */
export function joinViews(wide, close, mirrored, params) {
  const cells = params.crop_size / STRIDE;
  return toCrop(wide, params, closeParams(params)).map((logit, i) => {
    const column = i % cells;
    return (logit + close[i] + mirrored[i + cells - 1 - 2 * column]) / 3;
  });
}

/** The crop of a given box as a reference, with what its logits, or the joined ones, say inside of the box. */
export function ownReference(keys, wide, joined, box, params) {
  const zoom = params.crop_size / cropSide(box, params);
  const wider = sides(box).map((side) => (1 + 2 * BOX_ERROR) * side * zoom);
  const coverage = boxCoverage(wider, params.crop_size / STRIDE);
  const shares = params.binary_references
    ? toCrop(joined, closeParams(params), params).map((logit) => (logit > 0 ? 1 : 0))
    : wide.map(sigmoid);
  return { keys, shares: coverage.map((share, i) => share * shares[i]) };
}

/** A reference whose cells are the target or are not. */
export const binary = ({ keys, shares }) => ({ keys, shares: shares.map((v) => (v > 0.5 ? 1 : 0)) });

/** Logits in a crop of a box, brought to another crop of it; -1 outside of the first. */
function toCrop(logits, { context, crop_size }, other) {
  const cells = crop_size / STRIDE;
  const zoom = other.context / context;
  const first = ((1 - zoom) * (cells - 1)) / 2;
  const brought = new Float32Array(cells * cells);
  sample({ width: cells, height: cells }, [first, first], zoom, cells, cells, (at, from, weights) => {
    brought[at] = interpolated(logits, from, weights);
  });
  return brought;
}

/** A logit between four cells, -1 outside. */
function interpolated(logits, from, weights) {
  let sum = 0;
  for (let k = 0; k < 4; k++) sum += (weights[k] / 1024) * (from[k] < 0 ? -1 : logits[from[k]]);
  return sum;
}

/** What the graph says about a crop (BGR), as a reference, and a mask in the frame. */
export function readMask(outputs, crop, frame, box, params) {
  const logits = outputs.logits.data;
  const reference = { keys: outputs.keys.data, shares: logits.map(sigmoid) };
  const quality = outputs.quality.data[0];
  return { ...maskInFrame(logits, frame, box, params), quality, reference, crop };
}

/** The mask of the logits in a crop, in the frame (null if empty), and the box around it. */
export function maskInFrame(logits, frame, box, params) {
  const cells = params.crop_size / STRIDE;
  // Cell i covers the pixels 2i and 2i + 1 of the crop.
  const scale = cells / cropSide(box, params);
  const shift = center(box).map((at) => (cells - 1) / 2 - scale * at);
  const [left, top] = shift.map((s) => Math.max(0, Math.floor((-0.5 - s) / scale)));
  const ends = shift.map((s) => Math.ceil((cells - 0.5 - s) / scale) + 1);
  const [width, height] = [
    Math.min(ends[0], frame.width) - left,
    Math.min(ends[1], frame.height) - top,
  ];
  const mask = { left, top, width: Math.max(width, 0), height: Math.max(height, 0) };
  mask.data = new Uint8Array(mask.width * mask.height);
  const around = [Infinity, Infinity, -Infinity, -Infinity];
  const first = [shift[0] + scale * left, shift[1] + scale * top];
  sample({ width: cells, height: cells }, first, scale, mask.width, mask.height, (at, from, weights) => {
    if (interpolated(logits, from, weights) <= 0) return;
    mask.data[at] = 1;
    const [x, y] = [left + (at % mask.width), top + Math.floor(at / mask.width)];
    around[0] = Math.min(around[0], x - 0.5);
    around[1] = Math.min(around[1], y - 0.5);
    around[2] = Math.max(around[2], x + 0.5);
    around[3] = Math.max(around[3], y + 0.5);
  });
  const isEmpty = around[0] === Infinity;
  return { mask: isEmpty ? null : mask, box: isEmpty ? null : around };
}

/** A mask (null if empty) without what lies outside a box that was given for all of the target. */
export function keepInside(mask, box) {
  if (!mask) return null;
  const [halfWidth, halfHeight] = sides(box).map((side) => ((1 + 2 * BOX_ERROR) * side) / 2);
  const [x, y] = center(box);
  const { left, top, width, data } = mask;
  const inside = data.map((value, i) => {
    const isInside =
      Math.abs(left + (i % width) - x) <= halfWidth &&
      Math.abs(top + Math.floor(i / width) - y) <= halfHeight;
    return isInside ? value : 0;
  });
  return inside.includes(1) ? { ...mask, data: inside } : null;
}

/** Probability that a found mask is the target: a logistic regression, see docs/outside_python.md. */
export function presence(score, found, memory, weights, online) {
  const names = Object.keys(weights);
  if (!names.length) return score;
  if (!found.box) return 0;
  const { keys, shares } = found.reference;
  const limit = 0.5 * largest(shares);
  const inside = shares.filter((v) => v > limit);
  const known = {
    bias: 1,
    score: logit(score),
    confidence: mean(inside),
    ...comparison(keys, shares, memory.first),
    quality: logit(found.quality),
    color: memory.colors ? colorSimilarity(colorHistogram(found.crop, shares), memory.colors) : 0,
    online,
  };
  return sigmoid(names.reduce((sum, name) => sum + weights[name] * known[name], 0));
}

/** Weights of presence by name; folders of releases up to 0.1 have a list of them. */
export const namedWeights = (weights) =>
  Array.isArray(weights)
    ? Object.fromEntries(weights.map((weight, i) => [OLD_FEATURES[i], weight]))
    : weights;

const OLD_FEATURES = ['bias', 'score', 'confidence', 'likeness', 'contrast', 'online'];

const mean = (values) => values.reduce((sum, v) => sum + v, 0) / values.length;

export function logit(share) {
  const finite = Math.min(Math.max(share, 1e-4), 1 - 1e-4);
  return Math.log(finite / (1 - finite));
}

/** How the keys of the found target compare with those of the target, and the background, in the first frame. */
function comparison(keys, shares, first) {
  const found = keyCells(shares).target;
  const { target, background } = keyCells(first.shares);
  if (!target.length) return { likeness: 0, contrast: 0, completeness: 0 };
  const count = (Math.sqrt(shares.length) / KEYS_STRIDE) ** 2;
  const similarity = (cell, other) => {
    let product = 0;
    for (let k = 0; k < keys.length; k += count) product += keys[k + cell] * first.keys[k + other];
    return product;
  };
  const most = (values) => values.reduce((best, v) => Math.max(best, v), -Infinity);
  const toTarget = found.map((cell) => target.map((other) => similarity(cell, other)));
  const closest = toTarget.map(most);
  const completeness = mean(target.map((_, i) => most(toTarget.map((row) => row[i]))));
  const beyond = (cell, i) => closest[i] - most(background.map((other) => similarity(cell, other)));
  return {
    likeness: mean(closest),
    contrast: background.length ? mean(found.map(beyond)) : 0,
    completeness,
  };
}

/** Histogram of the chrominances Cr and Cb of a BGR crop on a target: 32 x 32 bins with sum 1. */
export function colorHistogram(crop, shares) {
  const bins = 32;
  const cells = Math.sqrt(shares.length);
  const width = cells * STRIDE;
  const counts = new Float64Array(bins * bins);
  shares.forEach((share, i) => {
    if (share <= 0.5) return;
    const corner = Math.floor(i / cells) * STRIDE * width + (i % cells) * STRIDE;
    const pixels = [corner, corner + 1, corner + width, corner + width + 1];
    const channel = (c) => (pixels.reduce((sum, at) => sum + crop[3 * at + c], 0) + 2) >> 2;
    const [blue, green, red] = [0, 1, 2].map(channel);
    // In fixed point, as OpenCV converts.
    const luma = (1868 * blue + 9617 * green + 4899 * red + 8192) >> 14;
    const chrominance = (value, factor) => {
      const shifted = ((value - luma) * factor + (128 << 14) + 8192) >> 14;
      return Math.floor(Math.min(Math.max(shifted, 0), 255) / (256 / bins));
    };
    counts[chrominance(red, 11682) * bins + chrominance(blue, 9241)] += 1;
  });
  const inside = (i) => Math.min(Math.max(i, 0), bins - 1);
  const spread = (values, step) =>
    values.map((value, i) => {
      const [at, rest] = step === 1 ? [i % bins, i - (i % bins)] : [Math.floor(i / bins), i % bins];
      const beside = (shift) => values[rest + step * inside(at + shift)];
      return 0.25 * beside(-1) + 0.5 * value + 0.25 * beside(1);
    });
  const smooth = spread(spread(counts, 1), bins);
  const total = smooth.reduce((sum, v) => sum + v, 0);
  return smooth.map((v) => v / Math.max(total, 1));
}

/** Bhattacharyya coefficient of two histograms. */
const colorSimilarity = (first, second) =>
  first.reduce((sum, v, i) => sum + Math.sqrt(v * second[i]), 0);

/** Which keys lie on the target of a mask, and which on its background. */
function keyCells(shares) {
  const cells = Math.sqrt(shares.length);
  const across = cells / KEYS_STRIDE;
  const means = new Float32Array(across * across);
  shares.forEach((v, i) => {
    const [row, column] = [Math.floor(i / cells), i % cells].map((at) => Math.floor(at / KEYS_STRIDE));
    means[row * across + column] += v / KEYS_STRIDE ** 2;
  });
  const limit = 0.5 * largest(means);
  const indices = [...means.keys()];
  return {
    target: indices.filter((i) => means[i] > limit),
    background: indices.filter((i) => means[i] < 0.1),
  };
}

function cropSide(box, params) {
  return params.context * Math.max(...sides(box), 2);
}

/** Share of each cell that a box in the middle of a crop covers, in steps of 1/255. */
function boxCoverage([width, height], cells) {
  const covered = (side) =>
    Array.from({ length: cells }, (_, i) => {
      const low = Math.max(STRIDE * i, cells - side / 2);
      const high = Math.min(STRIDE * (i + 1), cells + side / 2);
      return Math.max(high - low, 0) / STRIDE;
    });
  const [columns, rows] = [covered(width), covered(height)];
  return Float32Array.from({ length: cells * cells }, (_, i) => {
    return Math.round(rows[Math.floor(i / cells)] * columns[i % cells] * 255) / 255;
  });
}

/**
 * Share of each cell inside of a contour in pixels of the crop.
 *
 * What OpenCV's fillPoly paints: y is rounded to whole pixels, x on the edges to 1/16, and every
 * pixel that an edge passes counts.
 */
function contourCoverage(contour, cells) {
  const size = cells * STRIDE;
  const pixels = new Uint8Array(size * size);
  const paint = (x, y) => {
    if (x >= 0 && x < size && y >= 0 && y < size) pixels[y * size + x] = 1;
  };
  const corners = contour.map(([x, y]) => [roundEven(16 * x) / 16, Math.floor(roundEven(16 * y) / 16 + 0.5)]);
  const crossings = Array.from({ length: size }, () => []);
  corners.forEach((corner, i) => {
    const edge = [corner, corners[(i + 1) % corners.length]];
    paintLine(...edge.flatMap(([x, y]) => [Math.floor(x + 0.5), y]), paint);
    const [[x1, y1], [x2, y2]] = edge.sort((a, b) => a[1] - b[1]);
    for (let y = Math.max(y1, 0); y < Math.min(y2, size); y++) {
      crossings[y].push(x1 + ((x2 - x1) * (y - y1)) / (y2 - y1));
    }
  });
  crossings.forEach((xs, y) => {
    xs.sort((a, b) => a - b);
    for (let i = 0; i + 1 < xs.length; i += 2) {
      for (let x = Math.ceil(xs[i]); x <= xs[i + 1]; x++) paint(x, y);
    }
  });
  return Float32Array.from({ length: cells * cells }, (_, i) => {
    const at = STRIDE * (Math.floor(i / cells) * size + (i % cells));
    const sum = pixels[at] + pixels[at + 1] + pixels[at + size] + pixels[at + size + 1];
    return ((sum * 255 + 2) >> 2) / 255;
  });
}

/** Bresenham's line, from the left end on. */
function paintLine(x1, y1, x2, y2, paint) {
  if (x2 < x1) [x1, y1, x2, y2] = [x2, y2, x1, y1];
  const [dx, dy] = [x2 - x1, Math.abs(y2 - y1)];
  const steps = Math.max(dx, dy);
  for (let i = 0; i <= steps; i++) {
    const aside = steps ? Math.ceil((i * Math.min(dx, dy)) / steps - 0.5) : 0;
    const [right, along] = dy > dx ? [aside, i] : [i, aside];
    paint(x1 + right, y1 + Math.sign(y2 - y1) * along);
  }
}

const largest = (values) => values.reduce((top, v) => Math.max(top, v), -Infinity);
