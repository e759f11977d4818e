// Boxes, and the crops of a frame that go through the network.
//
// Boxes are [x1, y1, x2, y2] in pixels whose centres are whole numbers: a frame reaches from -0.5 to
// its width, or height, less 0.5. Frames are ImageData (RGBA), crops Uint8Array of B, G, R.

const clip = (value, low, high) => Math.min(Math.max(value, low), high);

export const center = (box) => [(box[0] + box[2]) / 2, (box[1] + box[3]) / 2];
export const sides = (box) => [box[2] - box[0], box[3] - box[1]];
export const mix = (box, other, share) => box.map((v, i) => (1 - share) * v + share * other[i]);

/** The part of a box in a frame. */
export function clipBox(box, frame) {
  const limits = [frame.width - 0.5, frame.height - 0.5];
  return box.map((v, i) => clip(v, -0.5, limits[i % 2]));
}

/** A box that the next frame can be searched around: not too small, in the frame, on 1/64 pixel. */
export function usableBox(box, frame, minSize) {
  const [middle, size] = [center(box), sides(box)];
  const usable = [];
  [frame.width, frame.height].forEach((all, i) => {
    const at = clip(middle[i], -0.5, all - 0.5);
    const half = clip(size[i], Math.min(minSize, all), all) / 2;
    usable[i] = roundEven((at - half) * 64) / 64;
    usable[i + 2] = roundEven((at + half) * 64) / 64;
  });
  return usable;
}

/** Intersection over union of two boxes. */
export function overlap(a, b) {
  const area = (box) => (box[2] - box[0]) * (box[3] - box[1]);
  const width = Math.min(a[2], b[2]) - Math.max(a[0], b[0]);
  const height = Math.min(a[3], b[3]) - Math.max(a[1], b[1]);
  const shared = Math.max(width, 0) * Math.max(height, 0);
  return shared / (area(a) + area(b) - shared);
}

/** Side of the square that holds a target and its context, or of a box for comparisons. */
export function paddedSize(width, height, share) {
  const pad = share * (width + height);
  return Math.sqrt((width + pad) * (height + pad));
}

/** Mean B, G, R of evenly spaced rows, rounded: the colour outside the frame. */
export function meanColor(frame) {
  const step = Math.max(1, Math.floor(frame.height / 128));
  const sums = [0, 0, 0];
  let count = 0;
  for (let y = 0; y < frame.height; y += step) {
    for (let x = 0; x < frame.width; x++, count++) {
      const at = 4 * (y * frame.width + x);
      for (let c = 0; c < 3; c++) sums[c] += frame.data[at + 2 - c];
    }
  }
  return sums.map((sum) => roundEven(sum / count));
}

/** The crop (size, size, 3), B, G, R, of a square window of the frame. */
export function crop(frame, [x, y], side, size, border) {
  let part = cut(frame, windowOf(frame, [x, y], side));
  const { left, top } = part;
  let zoom = side / size;
  [x, y] = [x - left - (zoom * (size - 1)) / 2, y - top - (zoom * (size - 1)) / 2];
  // Bilinear sampling would skip pixels of a window more than twice as large as the crop.
  for (; zoom >= 2 && Math.min(part.width, part.height) > 1; zoom /= 2) {
    part = halve(part);
    [x, y] = [x / 2 - 0.25, y / 2 - 0.25];
  }
  const out = new Uint8Array(size * size * 3);
  sample(part, [x, y], zoom, size, size, (at, values, weights) => {
    for (let c = 0; c < 3; c++) {
      let sum = 512;
      for (let k = 0; k < 4; k++) {
        sum += weights[k] * (values[k] < 0 ? border[c] : part.data[3 * values[k] + c]);
      }
      out[3 * at + c] = sum >> 10;
    }
  });
  return out;
}

/**
 * Visit the cells of a grid that lies over an image, with the four pixels around each.
 *
 * Positions are rounded to 1/32 pixel, as OpenCV's warpAffine does.
 * @param visit Called with the cell, the pixels (-1 outside) and their weights in 1/1024.
 */
export function sample({ width, height }, [x0, y0], zoom, columns, rows, visit) {
  const fixed = (value) => roundEven(value * 1024);
  const [pixels, weights] = [[0, 0, 0, 0], [0, 0, 0, 0]];
  for (let row = 0; row < rows; row++) {
    const y = (fixed(y0 + zoom * row) + 16) >> 5;
    for (let column = 0; column < columns; column++) {
      const x = (fixed(x0) + 16 + fixed(zoom * column)) >> 5;
      const [left, top, a, b] = [x >> 5, y >> 5, x & 31, y & 31];
      for (let k = 0; k < 4; k++) {
        const [px, py] = [left + (k & 1), top + (k >> 1)];
        const inside = px >= 0 && px < width && py >= 0 && py < height;
        pixels[k] = inside ? py * width + px : -1;
        weights[k] = (k & 1 ? a : 32 - a) * (k >> 1 ? b : 32 - b);
      }
      visit(row * columns + column, pixels, weights);
    }
  }
}

function windowOf(frame, [x, y], side) {
  const first = (at, all) => clip(Math.floor(at - side / 2) - 2, 0, all);
  const end = (at, all) => clip(Math.ceil(at + side / 2) + 3, 0, all);
  return [first(x, frame.width), first(y, frame.height), end(x, frame.width), end(y, frame.height)];
}

function cut(frame, [left, top, right, bottom]) {
  const [width, height] = [right - left, bottom - top];
  const data = new Uint8Array(width * height * 3);
  for (let y = 0, to = 0; y < height; y++) {
    let from = 4 * ((top + y) * frame.width + left);
    for (let x = 0; x < width; x++, from += 4, to += 3) {
      data[to] = frame.data[from + 2];
      data[to + 1] = frame.data[from + 1];
      data[to + 2] = frame.data[from];
    }
  }
  return { left, top, width, height, data };
}

function halve(part) {
  const [width, height, row] = [part.width >> 1, part.height >> 1, 3 * part.width];
  const data = new Uint8Array(width * height * 3);
  for (let y = 0, to = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      for (let c = 0; c < 3; c++, to++) {
        const from = 2 * y * row + 6 * x + c;
        const [upper, lower] = [from, from + row];
        const sum = part.data[upper] + part.data[upper + 3] + part.data[lower] + part.data[lower + 3];
        data[to] = (sum + 2) >> 2;
      }
    }
  }
  return { width, height, data };
}

/** To the nearest whole number, halves to the even one, as NumPy and OpenCV round. */
export function roundEven(value) {
  const low = Math.floor(value);
  const rest = value - low;
  return rest === 0.5 ? low + (low & 1) : low + (rest > 0.5);
}
