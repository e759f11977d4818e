// Export, training and comparison.

import { get, post } from './api.js';
import { $, element } from './dom.js';

// Checkboxes that keep what was chosen while the list grows.
function choices(container, names, isChosen) {
  const before = new Map([...container.querySelectorAll('input')].map((one) => [one.value, one.checked]));
  if ([...before.keys()].join('\n') === names.join('\n')) return;
  container.replaceChildren(...names.map((name) => {
    const box = document.createElement('input');
    Object.assign(box, { type: 'checkbox', value: name, checked: before.get(name) ?? isChosen(name) });
    const label = element('label', box);
    label.append(` ${name}`);
    return label;
  }));
}

const NUMBERS = ['epochs', 'samples', 'batch'];
const SUGGESTED = { masks: [2, 120, 4], tracker: [1, 2000, 16] };
const chosenIn = (id) => [...$(id).querySelectorAll('input:checked')].map((one) => one.value);
const shownNumber = (value) => (value === null ? '–' : value.toFixed(3));

export class Panels {
  constructor(state, page) {
    this.state = state;
    this.page = page;
    $('export').onclick = () => this.begin('export', { kind: $('kind').value });
    $('prepare').onclick = () => page.act(() => this.prepare());
    $('compare').onclick = () => this.begin(
      'compare', { models: chosenIn('compared-models'), clips: chosenIn('compared-clips') });
    $('training').ontoggle = () => this.poll();
    $('part').onchange = () => SUGGESTED[$('part').value].forEach((value, index) => { $(NUMBERS[index]).value = value; });
    $('reviews').ontoggle = () => page.act(() => this.showReviews());
  }

  begin(job, options) {
    this.page.act(async () => {
      await post(job, options);
      this.page.poll();
    });
  }

  show() {
    const { project } = this.state;
    const labelled = project.clips.filter((clip) => clip.complete).map((clip) => clip.name);
    choices($('training-clips'), labelled, () => true);
    choices($('compared-clips'), labelled, () => true);
    choices($('compared-models'), project.models, (name) => name === project.model);
  }

  async showReviews() {
    const names = await get('reviews');
    $('review-pages').replaceChildren(...names.map((name) => {
      const link = element('a', name);
      Object.assign(link, { href: `reviews/${name.split('/').map(encodeURIComponent).join('/')}`, target: '_blank' });
      return element('li', link);
    }));
    if (!names.length) $('review-pages').append(element('small', 'none here: mmpolar mine --out into this folder writes one'));
  }

  // What a job gave that has ended.
  take(job) {
    if (job.kind === 'export' && job.result) {
      const { out, frames, clips, left_out: leftOut } = job.result;
      $('exported').replaceChildren(`${frames} frames of ${clips.length} clip${clips.length === 1 ? '' : 's'} are in`, element('code', out));
      if (leftOut) $('exported').append(element('small', `left out: ${leftOut} frames in which a target is lost or has no label`));
      if (out.endsWith('davis')) {
        $('exported').append(element('small', 'to look for mistakes (needs PyTorch):'),
          element('code', `mmpolar check dataset DavisDataset ${out} --options multi_object=True`));
      }
    }
    if (job.kind === 'compare' && job.result) this.showComparison(job.result);
  }

  async prepare() {
    const numbers = Object.fromEntries(['epochs', 'samples', 'batch_size'].map((key, index) => [key, Number($(NUMBERS[index]).value)]));
    await post('trainings/prepare', {
      name: $('training-name').value, clips: chosenIn('training-clips'), part: $('part').value, ...numbers,
    });
    this.page.say('prepared: start the training here, or run the command');
    await this.poll();
  }

  async poll() {
    if (!$('training').open) return;
    const trainings = await this.page.act(() => get('trainings'));
    if (!trainings) return;
    const trackers = trainings.filter((one) => one.tracker).length;
    if (trackers > (this.trackers ?? trackers)) await this.page.act(this.page.refreshProject);
    this.trackers = trackers;
    const key = JSON.stringify(trainings);
    if (key === this.key) return;
    this.key = key;
    $('trainings').replaceChildren(...trainings.reverse().map((one) => this.training(one)));
  }

  training(one) {
    const box = element('div', element('h2', one.name), 'training');
    const reason = this.state.project.cannot_train;
    const status = one.running ? 'running' : one.tracker ? 'done: choose the tracker above, or compare it below'
      : one.status ? `failed with status ${one.status}, see the log` : one.started ? 'stopped' : 'prepared';
    const button = element('button', one.running ? 'Stop' : one.started ? 'Resume' : 'Start');
    button.disabled = one.tracker || (Boolean(reason) && !one.running);
    button.title = reason ?? '';
    button.onclick = () => this.page.act(async () => {
      await post(`trainings/${one.running ? 'stop' : 'start'}`, { name: one.name });
      await this.poll();
    });
    box.append(button, ` ${status}`, element('code', one.command));
    if (reason) box.append(element('small', reason));
    if (one.loss.length > 1) box.append(lossCurve(one.loss));
    if (one.log) box.append(element('pre', one.log.split('\n').slice(-12).join('\n')));
    return box;
  }

  showComparison(rows) {
    const table = document.createElement('table');
    const addRow = (tag, cells) => table.insertRow().append(...cells.map((cell) => element(tag, cell)));
    for (const clip of new Set(rows.map((row) => row.clip))) {
      addRow('th', [clip]);
      addRow('th', ['J', 'F', 'box', 'J by hand', 'frames (by hand)']);
      for (const row of rows.filter((one) => one.clip === clip)) {
        addRow('td', [row.model]);
        addRow('td', [...[row.J, row.F, row.box, row.J_hand].map(shownNumber), `${row.frames} (${row.hand_frames})`]);
      }
    }
    for (const row of table.rows) if (row.cells.length === 1) row.cells[0].colSpan = 5;
    $('compared').replaceChildren(table);
  }
}

function lossCurve(points) {
  const iterations = points.map(([iteration]) => iteration), losses = points.map(([, loss]) => loss);
  const [first, last] = [iterations[0], iterations.at(-1)];
  const [low, high] = [Math.min(...losses), Math.max(...losses)];
  const line = points.map(([iteration, loss]) =>
    [34 + 224 * (iteration - first) / (last - first || 1), 96 - 86 * (loss - low) / (high - low || 1)]);
  const curve = element('div', '', 'loss');
  curve.innerHTML = `<svg viewBox="0 0 264 110"><polyline points="${line.join(' ')}"/>
    <text y="14">${high.toPrecision(3)}</text><text y="98">${low.toPrecision(3)}</text>
    <text x="34" y="109">loss, iteration ${first} to ${last}</text></svg>`;
  return curve;
}
