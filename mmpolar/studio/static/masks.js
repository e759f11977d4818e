// Masks: run lengths as the server has them, bytes, and coloured canvases to show.

export function decodeRuns(runs, length) {
  const mask = new Uint8Array(length);
  let start = 0;
  runs.forEach((run, index) => {
    if (index % 2) mask.fill(1, start, start + run);
    start += run;
  });
  return mask;
}

export function encodeRuns(mask) {
  const runs = [];
  let value = 0, start = 0;
  for (let i = 0; i < mask.length; i++) {
    if (mask[i] !== value) {
      runs.push(i - start);
      value = mask[i];
      start = i;
    }
  }
  runs.push(mask.length - start);
  return runs;
}

function newCanvas(width, height) {
  const canvas = document.createElement('canvas');
  Object.assign(canvas, { width, height });
  return canvas;
}

// The contour is opaque; the inside too, or it shines through.
export function paintMask(mask, width, height, color, inside = 90) {
  const canvas = newCanvas(width, height);
  const context = canvas.getContext('2d', { willReadFrequently: inside === 255 });
  const image = context.createImageData(width, height);
  const pixels = new Uint32Array(image.data.buffer);
  const [red, green, blue] = [1, 3, 5].map((at) => parseInt(color.slice(at, at + 2), 16));
  const paint = (blue << 16) | (green << 8) | red;
  const wide = Math.max(1, Math.round(width / 640));
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++, i++) {
      if (!mask[i]) continue;
      const isEdge = inside < 255 && (x < wide || y < wide || x >= width - wide || y >= height - wide ||
        !mask[i - wide] || !mask[i + wide] || !mask[i - wide * width] || !mask[i + wide * width]);
      pixels[i] = ((isEdge ? 255 : inside) << 24) | paint;
    }
  }
  context.putImageData(image, 0, 0);
  return canvas;
}

export function readMask(canvas) {
  const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  const mask = new Uint8Array(canvas.width * canvas.height);
  for (let i = 0; i < mask.length; i++) mask[i] = data[4 * i + 3] > 127 ? 1 : 0;
  return mask;
}
