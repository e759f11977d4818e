// mmpolar's tracker on onnxruntime-web: a target that is given by its box, in frame after frame.
//
//   const tracker = await Tracker.load(ort, 'models/ocean-polar_effnet-lite0_natural/');
//   await tracker.init(imageData, [100, 80, 160, 120]);
//   const { box, score, visible, contour, mask } = await tracker.step(imageData);
//
// Step by step in docs/outside_python.md. For model folders with a refinement head, a mask stage and
// one search graph for all sizes, as those that come with mmpolar.

import { center, clipBox, crop, meanColor, mix, overlap, paddedSize, sides, usableBox } from './crops.js';
import {
  binary,
  closeParams,
  colorHistogram,
  joinViews,
  keepInside,
  logit,
  maskInFrame,
  maskInputs,
  mirrored,
  namedWeights,
  ownReference,
  presence,
  readMask,
  sigmoid,
} from './masks.js';
import { OnlineModel, featureMap, viewOf } from './online.js';

export class Tracker {
  /** Load a model folder from a web address that ends in a slash. */
  static async load(ort, folder) {
    const answer = await fetch(`${folder}model.json`);
    if (!answer.ok) throw new Error(`${folder}model.json: ${answer.status} ${answer.statusText}`);
    const manifest = await answer.json();
    if (!manifest.refines || !manifest.masks || !manifest.search.any) {
      throw new Error(`${folder} lacks a refinement head, a mask stage or the search graph of any size`);
    }
    const files = { template: manifest.template, search: manifest.search.any };
    Object.assign(files, { contour: manifest.contour, masks: manifest.masks });
    const graphs = {};
    for (const [name, file] of Object.entries(files)) {
      graphs[name] = await ort.InferenceSession.create(folder + file, { executionProviders: ['wasm'] });
    }
    return new Tracker(ort, manifest, graphs);
  }

  constructor(ort, manifest, graphs) {
    Object.assign(this, { ort, graphs });
    this.params = manifest.params;
    this.maskParams = manifest.mask_params;
    this.presence = namedWeights(this.maskParams.presence);
  }

  /** Start with the target's box [x1, y1, x2, y2] in the first frame (ImageData). */
  async init(frame, box) {
    const { params } = this;
    this.box = clipBox(box, frame);
    this.border = meanColor(frame);
    const [width, height] = sides(this.box);
    const isSmall = width * height < params.small_target_share * frame.width * frame.height;
    this.searchSize = isSmall ? params.small_target_search_size : params.search_size;
    this.lost = 0;
    this.doubt = 0;
    this.memory = {};
    await this.encode(frame, null);
    this.online = null;
    const searched = await this.search(frame);
    const { contour } = await this.candidate(frame, searched, this.select(searched));
    if (this.view) this.online = new OnlineModel(this.view, this.box);
    const mask = await this.segmentFirst(frame, contour);
    if (mask) await this.encode(frame, mask);
    return { box: this.box, score: 1, visible: true, contour, mask };
  }

  /** The mask of the given box, seen in three crops, which also becomes the reference. */
  async segmentFirst(frame, contour) {
    const { ort, box, maskParams } = this;
    const close = closeParams(maskParams);
    const inputs = [maskParams, close].map((params) => this.maskInputs(frame, box, contour, params));
    inputs.push(mirrored(ort, inputs[1]));
    const outputs = [];
    for (const one of inputs) outputs.push(await this.graphs.masks.run(one));
    const logits = outputs.map((one) => one.logits.data);
    const joined = joinViews(...logits, maskParams);
    const reference = ownReference(outputs[0].keys.data, logits[0], joined, box, maskParams);
    const colors = 'color' in this.presence ? colorHistogram(inputs[0].crops.data, reference.shares) : null;
    this.memory = { first: reference, recent: reference, colors };
    return keepInside(maskInFrame(joined, frame, box, close).mask, box);
  }

  /** Find the target in the next frame. */
  async step(frame) {
    const result = await this.find(frame);
    if (this.online) {
      const { online_interval: interval, online_score: least, online_rate: rate } = this.params;
      this.online.frames += 1;
      const isTurn = this.online.frames % interval === 0;
      if (isTurn && result.visible && result.score >= least) this.online.update(this.view, result.box, rate);
    }
    return result;
  }

  async find(frame) {
    const { params, maskParams } = this;
    const isFar = this.isFar();
    const searched = await this.search(frame);
    const first = this.select(searched);
    let judged = await this.judge(frame, searched, first);
    const least = params.second_peak_score;
    const isUnsure = least > 0 && judged.score < 0.9 && Object.keys(this.presence).length > 0;
    const second = isUnsure ? this.selectSecond(searched, first) : null;
    const other = second ? await this.judge(frame, searched, second) : null;
    this.doubt = other ? Math.max(this.doubt + logit(other.score) - logit(judged.score), 0) : 0;
    if (this.doubt > 2 && other.score >= least) [judged, this.doubt] = [other, 0];
    const { candidate, found, score } = judged;
    if (score < (isFar ? params.found_score : params.lost_score)) {
      this.lost += 1;
      return { box: this.box, score, visible: false, contour: null, mask: null };
    }
    this.lost = 0;
    this.box = candidate.headBox;
    let { box } = candidate;
    if (found.box && Math.min(found.quality, score) >= maskParams.memory_quality) {
      const { reference } = found;
      this.memory.recent = maskParams.binary_references ? binary(reference) : reference;
      if (overlap(box, found.box) >= maskParams.box_agreement) {
        const moved = mix(this.box, found.box, maskParams.search_share);
        this.box = usableBox(moved, frame, params.min_size);
        box = mix(box, found.box, maskParams.box_share);
      }
    }
    return { box, score, visible: true, contour: candidate.contour, mask: found.mask };
  }

  isFar() {
    return this.lost > this.params.widen_after;
  }

  /** Encode the template, with the target's mask in the frame, or the ellipse in its box. */
  async encode(frame, mask) {
    const size = this.params.template_size;
    const side = paddedSize(...sides(this.box), this.params.context_amount);
    const image = crop(frame, center(this.box), side, size, this.border);
    const target = templateMask(mask, this.box, side, size) ?? ellipse(this.box, side, size);
    this.template = await this.graphs.template.run({
      template: new this.ort.Tensor('uint8', image, [1, size, size, 3]),
      target_map: new this.ort.Tensor('uint8', target, [1, size, size]),
    });
  }

  /** What the network says about the search crop, and where that is. */
  async search(frame) {
    const { ort, params } = this;
    const size = this.isFar() ? params.lost_search_size : this.searchSize;
    const box = this.searchBox(frame);
    const scale = params.template_size / paddedSize(...sides(box), params.context_amount);
    const image = crop(frame, center(box), size / scale, size, this.border);
    const { prototypes, ...kernels } = this.template;
    const maps = await this.graphs.search.run({
      search: new ort.Tensor('uint8', image, [1, size, size, 3]),
      ...kernels,
    });
    const map = this.usesOnline() ? featureMap(maps, size, params.stride) : null;
    this.view = map ? viewOf(map, box, scale, size, params.stride) : null;
    const online = this.online && this.view && this.online.scores(this.view, maps.scores.dims.at(-1));
    return { maps, box, scale, size, online };
  }

  select({ maps, box, scale, online }) {
    return select(maps, box, scale, this.isFar(), this.params, online);
  }

  /** The best location whose box overlaps that of the first one by little; null if none scores. */
  selectSecond({ maps, box, scale, online }, first) {
    const overlaps = overlapsWith(maps, first.index, this.params.stride);
    const second = select(maps, box, scale, true, this.params, online, (at) => overlaps(at) <= 0.2);
    return second && maps.scores.data[second.index] >= 0.05 ? second : null;
  }

  /** What the target is at a selected location, its mask there, and how probable it is. */
  async judge(frame, searched, selected) {
    const candidate = await this.candidate(frame, searched, selected);
    const found = await this.segment(frame, candidate.box, candidate.contour);
    const score = presence(candidate.score, found, this.memory, this.presence, candidate.online);
    return { candidate, found, score };
  }

  /** Where the target may be: the head's box, the box of a result, score and contour. */
  async candidate(frame, { maps, scale, size, online }, selected) {
    const { ort, params } = this;
    const { scores, ...read } = maps;
    const { radii } = await this.graphs.contour.run({
      ...read,
      prototypes: this.template.prototypes,
      locations: new ort.Tensor('int64', BigInt64Array.of(BigInt(selected.index)), [1]),
      middle: new ort.Tensor('int64', BigInt64Array.of(BigInt(size >> 1)), []),
    });
    const contour = Array.from(radii.data, (radius, ray) => {
      const angle = (2 * Math.PI * ray) / radii.data.length;
      return [Math.cos(angle), Math.sin(angle)].map((v, i) => Math.fround(selected.pole[i] + (v * radius) / scale));
    });
    const headBox = usableBox(selected.box, frame, params.min_size);
    const [xs, ys] = [0, 1].map((i) => contour.map((point) => point[i]));
    const around = [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)];
    return {
      headBox,
      box: mix(headBox, clipBox(around, frame), params.contour_share).map(Math.fround),
      score: calibrated(scores.data[selected.index], params),
      online: online ? online[selected.index] : null,
      contour,
    };
  }

  usesOnline() {
    return this.params.online_share > 0 || 'online' in this.presence;
  }

  /** The box around which the next frame is searched: of a target long lost, another one each time. */
  searchBox(frame) {
    const turn = this.lost - this.params.scan_after;
    if (!this.isFar() || turn <= 0 || turn % 2 === 0) return this.box;
    const boxes = scanBoxes(this.box, frame, this.params);
    return usableBox(boxes[Math.floor(turn / 2) % boxes.length], frame, this.params.min_size);
  }

  async segment(frame, box, contour) {
    const inputs = this.maskInputs(frame, box, contour, this.maskParams);
    const outputs = await this.graphs.masks.run(inputs);
    return readMask(outputs, inputs.crops.data, frame, box, this.maskParams);
  }

  maskInputs(frame, box, contour, params) {
    return maskInputs(this.ort, frame, box, contour, this.memory, this.border, params);
  }
}

/** Gives of a location by how much its box overlaps that of another one. */
function overlapsWith({ scores, ltrb }, other, stride) {
  const count = scores.data.length;
  const cells = scores.dims.at(-1);
  const boxAt = (at) => {
    const [x, y] = [(at % cells) * stride, Math.floor(at / cells) * stride];
    const [left, top, right, bottom] = [0, 1, 2, 3].map((i) => ltrb.data[i * count + at]);
    return [x - left, y - top, x + right, y + bottom];
  };
  const own = boxAt(other);
  return (at) => overlap(boxAt(at), own);
}

/** The location with the highest score after penalty and window, and the smoothed box there. */
function select({ scores, ltrb }, box, scale, isFar, params, online, isAllowed = () => true) {
  const count = scores.data.length;
  const cells = scores.dims.at(-1);
  const side = (i, at) => ltrb.data[i * count + at];
  const [width, height] = sides(box).map((v) => v * scale);
  const change = (ratio) => Math.max(ratio, 1 / ratio);
  const hann = (i) => 0.5 - 0.5 * Math.cos((2 * Math.PI * i) / (cells - 1));
  const influence = isFar ? 0 : params.window_influence;
  let [index, best, own] = [0, -1, 0];
  for (let at = 0; at < count; at++) {
    if (!isAllowed(at)) continue;
    const [w, h] = [side(0, at) + side(2, at), side(1, at) + side(3, at)];
    const grown = change(paddedSize(w, h, 0.5) / paddedSize(width, height, 0.5));
    const changes = grown * change(width / height / (w / h));
    const penalty = Math.exp((1 - changes) * params.penalty_k);
    const window = hann(Math.floor(at / cells)) * hann(at % cells);
    const score = scores.data[at];
    const blend = online ? score + params.online_share * (online[at] - score) : score;
    const value = blend * penalty * (1 - influence) + window * influence;
    if (value > best) [index, best, own] = [at, value, score * penalty];
  }
  if (best < 0) return null;
  const rate = (own * params.lr) ** 2;
  const middle = center(box);
  const selected = { index, pole: [], box: [] };
  [index % cells, Math.floor(index / cells)].forEach((cell, i) => {
    const [near, far] = [side(i, index), side(i + 2, index)];
    const before = i ? height : width;
    selected.pole[i] = middle[i] + ((cell - Math.floor(cells / 2)) * params.stride) / scale;
    const at = selected.pole[i] + (far - near) / 2 / scale;
    const half = (before + rate * (near + far - before)) / scale / 2;
    selected.box[i] = at - half;
    selected.box[i + 2] = at + half;
  });
  return selected;
}

/** A score as the parameters map it to a probability. */
function calibrated(score, params) {
  const logit = Math.log(Math.max(score, 1e-12)) - Math.log(Math.max(1 - score, 1e-12));
  return sigmoid(params.score_slope * logit + params.score_offset);
}

/** Boxes whose search regions cover the frame, of a few sizes, each from the nearest on. */
function scanBoxes(box, frame, params) {
  const extent = [frame.width, frame.height];
  return params.scan_zooms.flatMap((zoom) => {
    const half = sides(box).map((v, i) => Math.min(v * zoom, extent[i]) / 2);
    const context = paddedSize(2 * half[0], 2 * half[1], params.context_amount);
    const reach = (0.6 * context * params.lost_search_size) / params.template_size;
    const axes = extent.map((all) => {
      const count = Math.ceil(all / reach);
      return Array.from({ length: count }, (_, i) => -0.5 + ((i + 0.5) * all) / count);
    });
    const centers = axes[1].flatMap((y) => axes[0].map((x) => [x, y]));
    const [x, y] = center(box);
    const distance = (at) => Math.hypot(at[0] - x, at[1] - y);
    centers.sort((a, b) => distance(a) - distance(b));
    return centers.map(([cx, cy]) => [cx - half[0], cy - half[1], cx + half[0], cy + half[1]]);
  });
}

/** A mask of the frame in the template crop; null if nothing of it is there. */
function templateMask(mask, box, side, size) {
  if (!mask) return null;
  const [x, y] = center(box);
  const zoom = side / size;
  const target = Uint8Array.from({ length: size * size }, (_, i) => {
    const column = Math.round(x + ((i % size) - (size - 1) / 2) * zoom) - mask.left;
    const row = Math.round(y + (Math.floor(i / size) - (size - 1) / 2) * zoom) - mask.top;
    const inside = column >= 0 && column < mask.width && row >= 0 && row < mask.height;
    return inside ? mask.data[row * mask.width + column] : 0;
  });
  return target.includes(1) ? target : null;
}

/** The ellipse in the box, which lies in the middle of its template crop. */
function ellipse(box, side, size) {
  const half = sides(box).map((v) => Math.max((v * size) / side / 2, 0.71));
  return Uint8Array.from({ length: size * size }, (_, i) => {
    const x = ((i % size) - (size - 1) / 2) / half[0];
    const y = (Math.floor(i / size) - (size - 1) / 2) / half[1];
    return x * x + y * y <= 1 ? 1 : 0;
  });
}
