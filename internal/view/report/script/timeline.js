// Timeline is the scene and what a person does with it.
class Timeline {
  constructor(trace, actions) {
    this.trace = trace;
    this.actions = actions; // choose(item), tip(item, x, y), say(text)
    this.overview = make('canvas', { class: 'overview', 'aria-hidden': 'true' });
    this.canvas = make('canvas', { role: 'img', 'aria-label': this.summary() });
    this.sizer = make('div', { class: 'sizer' }, this.canvas);
    this.chart = make('div', {
      class: 'chart', tabindex: '0', role: 'application', 'aria-label': 'Timeline of IPC namespaces: arrow keys go through the events, plus and minus zoom, 0 shows all, Enter tells details',
    }, this.sizer);
    this.element = make('div', {}, this.overview, this.chart);
    this.scene = new Scene(trace, this.canvas);
    this.listen();
  }

  summary() {
    const t = this.trace;
    return 'Timeline: ' + plural(t.namespaces.length, 'namespace') + ', ' + plural(t.objectCount, 'object') + ', ' +
      plural(t.eventCount, 'event') + '. The tables below have all of it in words.';
  }

  listen() {
    const { chart, overview } = this;
    chart.addEventListener('scroll', () => this.redraw());
    chart.addEventListener('pointermove', (e) => this.move(e));
    chart.addEventListener('pointerleave', () => this.leave());
    chart.addEventListener('pointerdown', (e) => this.press(e));
    chart.addEventListener('pointerup', (e) => this.release(e));
    chart.addEventListener('pointercancel', () => { this.drag = undefined; });
    chart.addEventListener('dblclick', (e) => this.zoom(0.4, this.scene.at(e.offsetX)));
    chart.addEventListener('wheel', (e) => this.wheel(e), { passive: false });
    chart.addEventListener('keydown', (e) => this.key(e));
    overview.addEventListener('pointerdown', (e) => this.brush(e));
    overview.addEventListener('pointermove', (e) => this.brushing(e));
    overview.addEventListener('pointerup', (e) => this.brushed(e));
    new ResizeObserver(() => this.measure()).observe(this.element);
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
      this.scene.colours();
      this.redraw();
    });
  }

  filter(filter) {
    this.current = filter;
    this.measure();
  }

  measure() {
    const width = this.element.clientWidth;
    if (width === 0 || !this.current) return;
    this.scene.width = width - 2;
    this.scene.layout(this.current);
    const most = Math.max(240, window.innerHeight * 0.62);
    const height = Math.min(this.scene.height, most);
    this.chart.style.height = height + 2 + 'px';
    this.sizer.style.height = this.scene.height + 'px';
    this.scene.resize(this.chart.clientWidth, height);
    this.redraw();
  }

  redraw() {
    if (this.pending) return;
    this.pending = requestAnimationFrame(() => {
      this.pending = undefined;
      if (!this.scene.lanes) return;
      this.scene.draw(this.chart.scrollTop, this.chosen, this.hover);
      const { from, to } = this.scene.view;
      this.chart.setAttribute('aria-description', 'shown: ' + this.trace.clock(from) + ' to ' + this.trace.clock(to));
      this.drawOverview();
    });
  }

  // Zooming and moving.

  show(from, to) {
    const { trace } = this;
    const whole = trace.to - trace.from;
    const span = Math.min(Math.max(to - from, 200), whole);
    const start = Math.min(Math.max(from, trace.from), trace.to - span);
    this.scene.view = { from: start, to: start + span };
    this.redraw();
  }

  zoom(factor, around) {
    const { from, to } = this.scene.view;
    const at = around === undefined ? this.middle() : around;
    this.show(at - (at - from) * factor, at + (to - at) * factor);
  }

  // middle of the view, or what is chosen, if that is in it.
  middle() {
    const { from, to } = this.scene.view;
    const at = this.timeOf(this.chosen);
    return at >= from && at <= to ? at : (from + to) / 2;
  }

  timeOf(item) {
    if (!item) return NaN;
    return item.of === 'event' ? this.trace.events.at[item.i] : item.of === 'object' ? this.trace.objects.born[item.i] : NaN;
  }

  all() { this.show(this.trace.from, this.trace.to); }
  pan(share) {
    const { from, to } = this.scene.view;
    this.show(from + share * (to - from), to + share * (to - from));
  }

  wheel(e) {
    if (!e.ctrlKey && !e.metaKey && Math.abs(e.deltaX) <= Math.abs(e.deltaY) && !e.shiftKey) return; // the page scrolls
    e.preventDefault();
    if (e.ctrlKey || e.metaKey) this.zoom(Math.exp(Math.max(-60, Math.min(60, e.deltaY)) / 100), this.scene.at(this.place(e).x));
    else this.pan((e.deltaX || e.deltaY) / this.scene.plot);
  }

  place(e) {
    const box = this.chart.getBoundingClientRect();
    return { x: e.clientX - box.left - 1, y: e.clientY - box.top - 1 };
  }

  press(e) {
    if (e.button !== 0) return;
    this.drag = { ...this.place(e), view: { ...this.scene.view }, moved: false };
  }

  move(e) {
    const { x, y } = this.place(e);
    if (this.drag && e.buttons & 1) {
      const by = x - this.drag.x;
      if (!this.drag.moved && Math.abs(by) < 4) return;
      this.drag.moved = true;
      this.chart.classList.add('dragging');
      if (!this.chart.hasPointerCapture(e.pointerId)) this.chart.setPointerCapture(e.pointerId);
      const shift = (-by / this.scene.plot) * (this.drag.view.to - this.drag.view.from);
      this.show(this.drag.view.from + shift, this.drag.view.to + shift);
      return;
    }
    const item = this.scene.hit(x, y);
    const changed = JSON.stringify(item) !== JSON.stringify(this.hover);
    this.hover = item;
    this.chart.style.cursor = item && item.of !== 'loss' ? 'pointer' : 'default';
    this.actions.tip(item, e.clientX, e.clientY);
    if (changed) this.redraw();
  }

  release(e) {
    const drag = this.drag;
    this.drag = undefined;
    this.chart.classList.remove('dragging');
    if (!drag || drag.moved) return;
    const { x, y } = this.place(e);
    const item = this.scene.hit(x, y);
    if (item && item.of === 'heap') this.zoom(0.1, this.scene.at(x));
    else if (item) this.actions.choose(item);
  }

  leave() {
    this.hover = undefined;
    this.actions.tip(undefined);
    this.redraw();
  }

  // Keys.

  key(e) {
    if (e.ctrlKey || e.metaKey || e.altKey) return;
    const does = {
      '+': () => this.zoom(0.5), '=': () => this.zoom(0.5), '-': () => this.zoom(2), 0: () => this.all(),
      ArrowRight: () => (e.shiftKey ? this.pan(0.25) : this.step(1)), ArrowLeft: () => (e.shiftKey ? this.pan(-0.25) : this.step(-1)),
      ArrowDown: () => this.hop(1), ArrowUp: () => this.hop(-1), Home: () => this.step(-Infinity), End: () => this.step(Infinity),
      Enter: () => this.chosen && this.actions.choose(this.chosen, true), ' ': () => this.chosen && this.actions.choose(this.chosen, true),
    }[e.key];
    if (!does) return;
    e.preventDefault();
    does();
  }

  // step goes to the next event that the filter lets through.
  step(by) {
    const { trace, current } = this;
    const at = this.chosen && this.chosen.of === 'event' ? this.chosen.i : by > 0 && Number.isFinite(by) ? -1 : trace.eventCount;
    let i = by === Infinity ? trace.eventCount : by === -Infinity ? -1 : at;
    const way = by === Infinity ? -1 : by === -Infinity ? 1 : by;
    do i += way; while (i >= 0 && i < trace.eventCount && !current.events[i]);
    if (i >= 0 && i < trace.eventCount) this.pick({ of: 'event', i });
  }

  // hop goes to the event of the next lane that is nearest in time.
  hop(by) {
    const lanes = this.scene.lanes;
    const { events } = this.trace;
    const own = this.chosen && this.chosen.of === 'event' ? lanes.findIndex((lane) => lane.i === events.ns[this.chosen.i]) : -1;
    const at = own < 0 ? this.scene.view.from : events.at[this.chosen.i];
    for (let k = own < 0 && by < 0 ? lanes.length - 1 : own + by; k >= 0 && k < lanes.length; k += by) {
      let best;
      for (const i of this.trace.laneEvents[lanes[k].i]) {
        if (this.current.events[i] && (best === undefined || Math.abs(events.at[i] - at) < Math.abs(events.at[best] - at))) best = i;
      }
      if (best !== undefined) {
        this.pick({ of: 'event', i: best });
        return;
      }
    }
  }

  pick(item) {
    this.mark(item);
    this.reveal(item);
    this.actions.picked(item);
  }

  mark(item) {
    this.chosen = item;
    this.redraw();
  }

  // reveal moves the view to where something is.
  reveal(item) {
    const at = this.timeOf(item);
    const { from, to } = this.scene.view;
    if (at < from || at > to) this.show(at - (to - from) / 2, at + (to - from) / 2);
    const ns = item.of === 'lane' ? item.i : item.of === 'event' ? this.trace.events.ns[item.i] : this.trace.objects.ns[item.i];
    const lane = this.scene.lanes.find((l) => l.i === ns);
    if (!lane) return;
    const top = this.chart.scrollTop + size.axis;
    if (lane.y < top) this.chart.scrollTop = lane.y - size.axis;
    else if (lane.y + Math.min(lane.height, 60) > this.chart.scrollTop + this.scene.visible) this.chart.scrollTop = lane.y - this.scene.visible / 2;
  }

  // The overview: all of the trace, with a window on what is shown.

  drawOverview() {
    const { overview, trace, scene } = this;
    const ratio = window.devicePixelRatio || 1;
    const width = overview.clientWidth;
    const height = overview.clientHeight;
    if (overview.width !== Math.round(width * ratio)) overview.width = Math.round(width * ratio);
    if (overview.height !== Math.round(height * ratio)) overview.height = Math.round(height * ratio);
    const c = overview.getContext('2d');
    c.setTransform(ratio, 0, 0, ratio, 0, 0);
    c.fillStyle = scene.ink.panel;
    c.fillRect(0, 0, width, height);
    const x = (at) => scene.gutter + ((at - trace.from) / (trace.to - trace.from)) * scene.plot;
    c.fillStyle = scene.ink.loss;
    c.globalAlpha = 0.25;
    for (const loss of trace.losses) c.fillRect(x(loss.from), 0, Math.max(x(loss.to) - x(loss.from), 2), height);
    c.globalAlpha = 1;
    this.skyline(c, x, height);
    c.fillStyle = scene.ink.soft;
    c.font = '11px system-ui, sans-serif';
    c.textBaseline = 'middle';
    c.fillText('whole trace · ' + duration(trace.to - trace.from), 10, height / 2);
    const { from, to } = this.brushView || scene.view;
    c.globalAlpha = 0.13;
    c.fillStyle = scene.ink.accent;
    c.fillRect(x(from), 0, x(to) - x(from), height);
    c.globalAlpha = 1;
    c.strokeStyle = scene.ink.accent;
    c.lineWidth = 2;
    c.strokeRect(x(from), 1, Math.max(x(to) - x(from), 3), height - 2);
  }

  // skyline is how many events there were.
  skyline(c, x, height) {
    const { trace, scene } = this;
    const { width, events, failed } = trace.bins;
    if (!events) return;
    const columns = new Map();
    events.forEach((all, k) => {
      const at = (k + 0.5) * width;
      if (all === 0 || at < trace.from - width || at > trace.to + width) return;
      const column = Math.floor(x(Math.min(Math.max(at, trace.from), trace.to)) / 3);
      const sum = columns.get(column) || [0, 0];
      columns.set(column, [sum[0] + all, sum[1] + failed[k]]);
    });
    let most = 1;
    for (const [all] of columns.values()) most = Math.max(most, all);
    const tall = (n) => (n === 0 ? 0 : 3 + (height - 10) * (Math.log1p(n) / Math.log1p(most)));
    for (const [column, [all, bad]] of columns) {
      c.fillStyle = scene.ink.soft;
      c.fillRect(column * 3, height - tall(all), 2, tall(all));
      c.fillStyle = scene.ink.bad;
      c.fillRect(column * 3, height - tall(bad), 2, tall(bad));
    }
  }

  brushAt(e) {
    const box = this.overview.getBoundingClientRect();
    const share = (e.clientX - box.left - this.scene.gutter) / this.scene.plot;
    return this.trace.from + Math.min(Math.max(share, 0), 1) * (this.trace.to - this.trace.from);
  }

  brush(e) {
    this.overview.setPointerCapture(e.pointerId);
    this.brushFrom = this.brushAt(e);
  }

  brushing(e) {
    if (this.brushFrom === undefined) return;
    const at = this.brushAt(e);
    this.brushView = { from: Math.min(at, this.brushFrom), to: Math.max(at, this.brushFrom) };
    this.redraw();
  }

  brushed(e) {
    if (this.brushFrom === undefined) return;
    const at = this.brushAt(e);
    const from = Math.min(at, this.brushFrom);
    const to = Math.max(at, this.brushFrom);
    this.brushFrom = this.brushView = undefined;
    const whole = this.trace.to - this.trace.from;
    const { view } = this.scene;
    if (to - from > whole / 400) this.show(from, to); // else a click: the view moves there
    else this.show(at - (view.to - view.from) / 2, at + (view.to - view.from) / 2);
  }
}
