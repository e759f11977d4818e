// The frame with its masks, zoom, and the tools that mark on it.

import { paintMask, readMask } from './masks.js';

const MIN_BOX = 3; // pixels of the screen; a smaller box is a slip

export class Stage {
  // on: box(x1, y1, x2, y2), point(x, y), stroke(mask); mask(): the mask to paint on, color().
  constructor(canvas, on) {
    this.canvas = canvas;
    this.context = canvas.getContext('2d');
    this.on = on;
    this.tool = 'box';
    this.brush = 18;
    this.image = null;
    this.overlays = [];
    this.view = { scale: 1, x: 0, y: 0 };
    this.drag = null;
    this.cursor = null;
    new ResizeObserver(() => this.fit()).observe(canvas);
    canvas.addEventListener('pointerdown', (event) => this.begin(event));
    canvas.addEventListener('pointermove', (event) => this.move(event));
    canvas.addEventListener('pointerup', () => this.end());
    canvas.addEventListener('pointerleave', () => { this.cursor = null; this.draw(); });
    canvas.addEventListener('wheel', (event) => this.zoom(event), { passive: false });
    canvas.addEventListener('contextmenu', (event) => event.preventDefault());
  }

  show(image, overlays) {
    const isNew = !this.image || image.width !== this.image.width || image.height !== this.image.height;
    this.image = image;
    this.overlays = overlays;
    if (isNew) this.fit(); else this.draw();
  }

  fit() {
    const ratio = window.devicePixelRatio || 1;
    this.canvas.width = this.canvas.clientWidth * ratio;
    this.canvas.height = this.canvas.clientHeight * ratio;
    if (this.image) {
      const { width, height } = this.image;
      const scale = Math.min(this.canvas.width / width, this.canvas.height / height);
      const [x, y] = [(this.canvas.width - scale * width) / 2, (this.canvas.height - scale * height) / 2];
      this.view = { scale, x, y };
    }
    this.draw();
  }

  position(event) {
    const ratio = window.devicePixelRatio || 1;
    return {
      x: (event.offsetX * ratio - this.view.x) / this.view.scale,
      y: (event.offsetY * ratio - this.view.y) / this.view.scale,
    };
  }

  zoom(event) {
    event.preventDefault();
    const at = this.position(event);
    const scale = Math.min(40, Math.max(0.05, this.view.scale * 1.0015 ** -event.deltaY));
    this.view.x += at.x * (this.view.scale - scale);
    this.view.y += at.y * (this.view.scale - scale);
    this.view.scale = scale;
    this.draw();
  }

  begin(event) {
    if (!this.image || this.drag) return;
    this.canvas.setPointerCapture(event.pointerId);
    const at = this.position(event);
    if (event.button !== 0 || event.shiftKey) {
      this.drag = { kind: 'pan', at };
    } else if (this.tool === 'point') {
      this.on.point(at.x, at.y);
    } else if (this.tool === 'box') {
      this.drag = { kind: 'box', from: at, at };
    } else if (this.on.canPaint()) {
      const { width, height } = this.image;
      const mask = this.on.mask() ?? new Uint8Array(width * height);
      const layer = paintMask(mask, width, height, this.on.color(), 255);
      this.drag = { kind: 'paint', layer, at };
      this.paint(at);
    }
  }

  move(event) {
    const at = this.cursor = this.position(event);
    if (this.drag?.kind === 'pan') {
      this.view.x += (at.x - this.drag.at.x) * this.view.scale;
      this.view.y += (at.y - this.drag.at.y) * this.view.scale;
    } else if (this.drag?.kind === 'box') {
      this.drag.at = at;
    } else if (this.drag?.kind === 'paint') {
      this.paint(at);
    }
    this.draw();
  }

  paint(at) {
    const context = this.drag.layer.getContext('2d');
    context.globalCompositeOperation = this.tool === 'eraser' ? 'destination-out' : 'source-over';
    context.strokeStyle = this.on.color();
    context.lineWidth = this.brush;
    context.lineCap = context.lineJoin = 'round';
    context.beginPath();
    context.moveTo(this.drag.at.x, this.drag.at.y);
    context.lineTo(at.x, at.y + 0.01); // a point is a line of some length
    context.stroke();
    this.drag.at = at;
    this.draw();
  }

  end() {
    const drag = this.drag;
    this.drag = null;
    if (drag?.kind === 'box') {
      const [x1, x2] = [drag.from.x, drag.at.x].sort((a, b) => a - b);
      const [y1, y2] = [drag.from.y, drag.at.y].sort((a, b) => a - b);
      if (Math.min(x2 - x1, y2 - y1) * this.view.scale >= MIN_BOX) this.on.box(x1, y1, x2, y2);
    } else if (drag?.kind === 'paint') {
      this.on.stroke(readMask(drag.layer));
    }
    this.draw();
  }

  draw() {
    const { context, canvas, view, drag } = this;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, canvas.width, canvas.height);
    if (!this.image) return;
    context.setTransform(view.scale, 0, 0, view.scale, view.x, view.y);
    context.imageSmoothingEnabled = view.scale < 3;
    context.drawImage(this.image, 0, 0);
    for (const { canvas: overlay, isEdited } of this.overlays) {
      if (!(isEdited && drag?.kind === 'paint')) context.drawImage(overlay, 0, 0);
    }
    if (drag?.kind === 'paint') {
      context.globalAlpha = 0.5;
      context.drawImage(drag.layer, 0, 0);
      context.globalAlpha = 1;
    }
    context.lineWidth = 2 / view.scale;
    context.strokeStyle = this.on.color();
    if (drag?.kind === 'box') {
      context.strokeRect(drag.from.x, drag.from.y, drag.at.x - drag.from.x, drag.at.y - drag.from.y);
    }
    if (this.cursor && (this.tool === 'brush' || this.tool === 'eraser')) {
      context.beginPath();
      context.arc(this.cursor.x, this.cursor.y, this.brush / 2, 0, 2 * Math.PI);
      context.stroke();
    }
  }
}
