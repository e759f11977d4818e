// A row for each target: what is known of it in each frame.

const ROW = 16, GAP = 3;

export class Timeline {
  constructor(canvas, onFrame) {
    this.canvas = canvas;
    this.context = canvas.getContext('2d');
    const scrub = (event) => {
      if (event.buttons === 1 && this.frames) {
        const share = event.offsetX / canvas.clientWidth;
        onFrame(Math.min(this.frames - 1, Math.max(0, Math.floor(share * this.frames))));
      }
    };
    canvas.addEventListener('pointerdown', (event) => { canvas.setPointerCapture(event.pointerId); scrub(event); });
    canvas.addEventListener('pointermove', scrub);
    new ResizeObserver(() => this.draw()).observe(canvas);
  }

  show(frames, targets, labels, frame, chosen) {
    Object.assign(this, { frames, targets, labels, frame, chosen });
    this.draw();
  }

  draw() {
    if (!this.frames) return;
    const { canvas, context } = this;
    const rows = Math.max(1, this.targets.length);
    const height = rows * (ROW + GAP) + GAP;
    canvas.style.height = `${height}px`;
    canvas.width = canvas.clientWidth;
    canvas.height = height;
    const wide = canvas.width / this.frames;
    this.targets.forEach((target, row) => {
      const y = GAP + row * (ROW + GAP);
      context.globalAlpha = 1;
      context.fillStyle = target.id === this.chosen ? '#2f3744' : '#222832';
      context.fillRect(0, y, canvas.width, ROW);
      for (const label of this.labels.get(target.id)?.values() ?? []) {
        this.mark(label, target.color, label.frame * wide, y, Math.max(1, wide));
      }
    });
    context.globalAlpha = 1;
    context.fillStyle = '#fff';
    context.fillRect((this.frame + 0.5) * wide - 1, 0, 2, height);
  }

  mark(label, color, x, y, wide) {
    const { context } = this;
    context.globalAlpha = label.hand ? 1 : 0.55;
    context.fillStyle = label.kind === 'lost' ? '#e5484d' : label.kind === 'absent' ? '#565f6e' : color;
    context.fillRect(x, y + (label.hand ? 0 : 4), wide + 0.5, label.hand ? ROW : ROW - 8);
    if (label.hand && label.kind === 'mask') {
      context.fillStyle = '#fff';
      context.fillRect(x + wide / 2 - 1.5, y, 3, ROW);
    }
  }
}
