// Scene draws lanes on a canvas: as much of them as is in view, and of times that hold
// more than there are pixels how much it was.
const size = { gutter: 220, axis: 24, strip: 20, row: 16, rows: 8, gap: 8, spare: 14 };

const inks = ['paper', 'panel', 'ink', 'soft', 'rule', 'strong', 'alive', 'accent', 'bad', 'good', 'warn', 'loss'];
const kindNames = ['msg', 'shm', 'sem', 'mq', 'other'];

class Scene {
  constructor(trace, canvas) {
    this.trace = trace;
    this.canvas = canvas;
    this.context = canvas.getContext('2d');
    this.view = { from: trace.from, to: trace.to };
    this.hits = [];
    this.failType = trace.texts.indexOf('object.fail');
    this.joinType = trace.texts.indexOf('namespace.join');
    this.kindOf = trace.texts.map((text) => (kindNames.includes(text) ? text : 'other'));
    this.colours();
  }

  colours() {
    const style = getComputedStyle(document.documentElement);
    const value = (name) => style.getPropertyValue('--' + name).trim();
    this.ink = Object.fromEntries(inks.map((name) => [name, value(name)]));
    this.kinds = Object.fromEntries(kindNames.map((kind) => [kind, { fill: value(kind), line: value(kind + '-line'), text: value(kind + '-ink') }]));
  }

  get gutter() { return this.width < 620 ? 130 : size.gutter; }
  get plot() { return Math.max(50, this.width - this.gutter - 14); }
  get span() { return this.view.to - this.view.from; }
  x(at) { return this.gutter + ((at - this.view.from) / this.span) * this.plot; }
  at(x) { return this.view.from + ((x - this.gutter) / this.plot) * this.span; }

  // layout finds how high each lane is: that does not change while one zooms.
  layout(filter) {
    this.filter = filter;
    const { trace } = this;
    this.lanes = [];
    let y = size.axis;
    const view = this.view;
    this.view = { from: trace.from, to: trace.to };
    for (let i = 0; i < trace.namespaces.length; i++) {
      if (!filter.lanes[i]) continue;
      const { rows, spare } = this.pack(i);
      const height = size.strip + rows * size.row + (spare ? size.spare : 0) + size.gap;
      this.lanes.push({ i, y, height, rows });
      y += height;
    }
    this.view = view;
    this.height = y + 4;
  }

  resize(width, height) {
    const ratio = window.devicePixelRatio || 1;
    this.width = width;
    this.visible = height;
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(height * ratio);
    this.canvas.style.width = width + 'px';
    this.canvas.style.height = height + 'px';
    this.ratio = ratio;
  }

  // pack gives the objects of a lane that are in view a row each, while there is room.
  pack(lane, place) {
    const { trace, filter, view } = this;
    const { born, end } = trace.objects;
    const ends = [];
    let spare = 0;
    const most = place ? place.rows : size.rows;
    for (const i of trace.laneObjects[lane]) {
      if (born[i] > view.to) break;
      if (!filter.objects[i] || (end[i] >= 0 && end[i] < view.from)) continue;
      const x0 = Math.max(this.x(born[i]), this.gutter - 4);
      const x1 = Math.max(Math.min(this.x(trace.until(i)), this.width + 20), x0 + 4);
      let row = 0;
      while (row < ends.length && ends[row] > x0 - 1.5) row++;
      if (row >= most) {
        spare++;
        if (place) place.spare(i, x0, x1);
        continue;
      }
      ends[row] = x1;
      if (place) place.object(i, x0, x1, row);
    }
    return { rows: ends.length, spare };
  }

  draw(scroll, chosen, hover) {
    const c = this.context;
    this.hits = [];
    this.chosen = chosen;
    this.hover = hover;
    c.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    c.clearRect(0, 0, this.width, this.visible);
    c.fillStyle = this.ink.paper;
    c.fillRect(0, 0, this.width, this.visible);
    this.scroll = scroll;
    const shown = this.lanes.filter((lane) => lane.y + lane.height > scroll + size.axis && lane.y < scroll + this.visible);
    this.grid();
    for (const lane of shown) this.lane(lane, lane.y - scroll);
    this.losses();
    this.links(shown);
    this.axis();
  }

  // clip draws what may not reach into the names of the lanes.
  clip(draw) {
    const c = this.context;
    c.save();
    c.beginPath();
    c.rect(this.gutter - 1, size.axis, this.plot + 15, this.visible - size.axis);
    c.clip();
    draw(c);
    c.restore();
  }

  ticks() {
    const steps = [];
    for (let unit = 1; unit < 1e9; unit *= 10) steps.push(unit, 2 * unit, 5 * unit);
    for (const s of [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400]) steps.push(s * 1e9);
    let step = steps.find((s) => (s / this.span) * this.plot >= 110) || 86400e9;
    while ((step / this.span) * this.plot < 110) step *= 2;
    const digits = step >= 1e9 ? 0 : Math.max(1, 9 - Math.floor(Math.log10(step)));
    const offset = Number(this.trace.origin % BigInt(step));
    const ticks = [];
    for (let at = Math.ceil((this.view.from + offset) / step) * step - offset; at <= this.view.to; at += step) {
      ticks.push({ at, text: (step >= 43200e9 ? this.trace.date(at) + ' ' : '') + this.trace.clock(at, digits) });
    }
    return ticks;
  }

  grid() {
    const c = this.context;
    c.strokeStyle = this.ink.rule;
    c.lineWidth = 1;
    c.beginPath();
    for (const tick of this.ticks()) {
      const x = Math.round(this.x(tick.at)) + 0.5;
      c.moveTo(x, size.axis);
      c.lineTo(x, this.visible);
    }
    c.stroke();
  }

  axis() {
    const c = this.context;
    c.fillStyle = this.ink.panel;
    c.fillRect(0, 0, this.width, size.axis);
    c.fillStyle = this.ink.soft;
    c.font = '11px system-ui, sans-serif';
    c.textBaseline = 'middle';
    c.fillText('UTC · ' + duration(this.span), 10, size.axis / 2);
    for (const tick of this.ticks()) {
      const x = this.x(tick.at);
      if (x + 60 < this.width) c.fillText(tick.text, x + 4, size.axis / 2);
      c.fillRect(Math.round(x), size.axis - 6, 1, 6);
    }
    c.fillStyle = this.ink.strong;
    c.fillRect(0, size.axis - 1, this.width, 1);
  }

  lane(lane, y) {
    const c = this.context;
    const n = this.trace.namespaces[lane.i];
    c.fillStyle = this.ink.rule;
    c.fillRect(0, y, this.width, 1);
    this.hits.push({ x0: 0, x1: this.gutter - 6, y0: Math.max(y, size.axis), y1: y + lane.height, item: { of: 'lane', i: lane.i } });
    this.clip(() => {
      const from = n.born < 0 ? this.gutter : this.x(n.born);
      const to = n.freed < 0 ? this.width : this.x(n.freed);
      c.fillStyle = this.ink.alive;
      c.fillRect(from, y + 1, Math.max(to - from, 1), lane.height - 2);
      this.objects(lane, y);
      if (n.born >= 0) this.edge(from, y, lane, this.ink.good, n.born, 1);
      if (n.freed >= 0) this.edge(to, y, lane, this.ink.ink, n.freed, -1);
      this.marks(lane, y);
    });
    this.name(lane, n, y);
  }

  // edge is the birth or the end of a namespace.
  edge(x, y, lane, colour, at, side) {
    const c = this.context;
    c.fillStyle = colour;
    c.fillRect(x - 1, y + 1, 2, lane.height - 2);
    c.beginPath();
    c.moveTo(x, y + 2);
    c.lineTo(x + side * 7, y + 6.5);
    c.lineTo(x, y + 11);
    c.fill();
  }

  name(lane, n, y) {
    const c = this.context;
    const { trace } = this;
    const indent = 10 + 14 * Math.min(n.depth, 6);
    c.fillStyle = this.isChosen('lane', lane.i) ? this.ink.alive : this.ink.paper;
    c.fillRect(0, y + 1, this.gutter - 4, lane.height - 1);
    if (n.depth > 0) {
      c.strokeStyle = this.ink.strong;
      c.beginPath();
      c.moveTo(indent - 8.5, y + 1);
      c.lineTo(indent - 8.5, y + 11.5);
      c.lineTo(indent - 2, y + 11.5);
      c.stroke();
    }
    c.textBaseline = 'alphabetic';
    c.fillStyle = this.ink.ink;
    c.font = '600 12px system-ui, sans-serif';
    c.fillText(this.cut(trace.text(n.name), this.gutter - indent - 10), indent, y + 15);
    const beside = c.measureText(trace.text(n.name)).width + 8;
    const label = trace.text(n.label);
    c.font = '11px system-ui, sans-serif';
    c.fillStyle = this.ink.soft;
    if (lane.height >= 40) {
      c.fillText(this.cut(label, this.gutter - indent - 10), indent, y + 29);
    } else if (this.gutter - indent - beside > 40) {
      c.fillText(this.cut(label, this.gutter - indent - beside - 10), indent + beside, y + 15);
    }
    if (lane.height >= 54) {
      const facts = [n.created > 0 && n.created + ' made', n.failed > 0 && n.failed + ' failed'].filter(Boolean).join(', ');
      c.fillText(this.cut(facts, this.gutter - indent - 10), indent, y + 43);
    }
  }

  cut(text, width) {
    const c = this.context;
    if (c.measureText(text).width <= width) return text;
    let n = Math.max(0, Math.floor((text.length * width) / c.measureText(text).width) - 1);
    while (n > 0 && c.measureText(text.slice(0, n) + '…').width > width) n--;
    return n > 0 ? text.slice(0, n) + '…' : '';
  }

  isChosen(of, i) { return this.chosen && this.chosen.of === of && this.chosen.i === i; }

  objects(lane, y) {
    const dense = new Uint16Array(Math.ceil(this.width) + 1);
    let spare = 0;
    this.pack(lane.i, {
      rows: Math.max(1, lane.rows),
      object: (i, x0, x1, row) => this.object(i, x0, x1, y + size.strip + row * size.row),
      spare: (i, x0, x1) => {
        spare++;
        for (let x = Math.max(0, Math.floor(x0)); x <= Math.min(x1, this.width); x++) dense[x]++;
      },
    });
    if (spare > 0) this.density(dense, spare, y + lane.height - size.gap - size.spare);
  }

  // density says how many objects found no row, by how dark it is.
  density(dense, spare, y) {
    const c = this.context;
    const most = dense.reduce((a, b) => Math.max(a, b), 1);
    c.fillStyle = this.ink.soft;
    for (let x = this.gutter; x < this.width; x++) {
      if (dense[x] === 0) continue;
      c.globalAlpha = 0.15 + 0.55 * (Math.log1p(dense[x]) / Math.log1p(most));
      c.fillRect(x, y + 2, 1, 9);
    }
    c.globalAlpha = 1;
    const text = '+ ' + plural(spare, 'object');
    c.font = '600 10px system-ui, sans-serif';
    c.fillStyle = this.ink.paper;
    c.fillRect(this.gutter + 3, y + 1, c.measureText(text).width + 8, 12);
    c.fillStyle = this.ink.ink;
    c.textBaseline = 'middle';
    c.fillText(text, this.gutter + 7, y + 7);
  }

  object(i, x0, x1, y) {
    const c = this.context;
    const { objects } = this.trace;
    const colours = this.kinds[this.kindOf[objects.kind[i]]];
    const h = size.row - 3;
    const open = objects.end[i] < 0;
    c.beginPath();
    if (open && x1 - x0 > 8) {
      c.moveTo(x0, y);
      c.lineTo(x1 - 7, y);
      c.lineTo(x1, y + h / 2);
      c.lineTo(x1 - 7, y + h);
      c.lineTo(x0, y + h);
      c.closePath();
    } else {
      c.rect(x0, y, x1 - x0, h);
    }
    c.fillStyle = colours.fill;
    c.fill();
    c.strokeStyle = colours.line;
    c.lineWidth = this.isChosen('object', i) ? 2.5 : 1;
    c.stroke();
    c.lineWidth = 1;
    this.ends(i, x0, x1, y, h, colours);
    if (x1 - x0 > 44) this.inside(i, x0, x1, y, h, colours);
    this.hits.push({ x0: x0 - 1, x1: x1 + 1, y0: y, y1: y + h, item: { of: 'object', i } });
  }

  ends(i, x0, x1, y, h, colours) {
    const c = this.context;
    const { objects } = this.trace;
    if (objects.marked[i] >= 0) {
      const x = Math.max(this.x(objects.marked[i]), x0);
      c.fillStyle = this.ink.paper;
      c.globalAlpha = 0.6;
      c.fillRect(x, y + 1, Math.max(x1 - x - 1, 0), h - 2);
      c.globalAlpha = 1;
    }
    if (objects.before[i] === 1 && objects.born[i] >= this.view.from) {
      c.fillStyle = this.ink.alive;
      for (let d = -1; d < h; d += 4) c.fillRect(x0 - 1, y + d, 3, 2);
    }
    if (objects.end[i] >= 0 && this.trace.text(objects.cause[i]) !== 'namespace') {
      c.fillStyle = colours.line;
      c.fillRect(x1 - 2, y - 1, 3, h + 2);
    }
  }

  inside(i, x0, x1, y, h, colours) {
    const c = this.context;
    const { trace } = this;
    const from = Math.max(x0, this.gutter) + 6;
    const twin = trace.twins.has(trace.objects.kind[i] + ' ' + trace.objects.key[i]) ? '≠ ' : '';
    c.font = '10.5px system-ui, sans-serif';
    c.textBaseline = 'middle';
    c.fillStyle = colours.text;
    const text = twin + trace.objectName(i) + '  ' + (trace.objects.private[i] ? 'private' : trace.key(i));
    c.fillText(this.cut(text, Math.min(x1, this.width) - from - 9), from, y + h / 2 + 0.5);
  }

  // marks are what happened; where there is too much of it, how much.
  marks(lane, y) {
    const { events } = this.trace;
    const list = this.trace.laneEvents[lane.i];
    const from = lowest(list, (i) => events.at[i] >= this.view.from);
    const to = lowest(list, (i) => events.at[i] > this.view.to);
    if (to - from > this.plot / 6) {
      this.heap(list, from, to, y);
      return;
    }
    const failed = [];
    for (let k = from; k < to; k++) {
      if (!this.filter.events[list[k]]) continue;
      if (events.type[list[k]] === this.failType) failed.push(list[k]);
      else this.mark(list[k], y);
    }
    for (const i of failed) this.mark(i, y); // on top
    if (this.trace.omitted && this.trace.namespaces[lane.i].bins) this.omitted(this.trace.namespaces[lane.i].bins, y);
  }

  mark(i, y) {
    const c = this.context;
    const { events } = this.trace;
    const x = this.x(events.at[i]);
    const type = events.type[i];
    const middle = y + 11;
    c.lineWidth = this.isChosen('event', i) ? 3 : 2;
    c.beginPath();
    if (type === this.failType) {
      c.strokeStyle = this.ink.bad;
      c.moveTo(x - 3.5, middle - 3.5);
      c.lineTo(x + 3.5, middle + 3.5);
      c.moveTo(x + 3.5, middle - 3.5);
      c.lineTo(x - 3.5, middle + 3.5);
      c.stroke();
    } else if (type === this.joinType) {
      c.strokeStyle = this.ink.accent;
      c.lineWidth -= 0.4;
      c.moveTo(x, middle - 5);
      c.lineTo(x, middle + 4);
      c.moveTo(x - 3, middle + 1);
      c.lineTo(x, middle + 4);
      c.lineTo(x + 3, middle + 1);
      c.stroke();
    } else {
      c.fillStyle = this.ink.soft;
      c.arc(x, middle, 2.1, 0, 7);
      c.fill();
    }
    if (this.isChosen('event', i)) {
      c.beginPath();
      c.strokeStyle = this.ink.ink;
      c.lineWidth = 1.5;
      c.arc(x, middle, 7, 0, 7);
      c.stroke();
    }
    c.lineWidth = 1;
    this.hits.push({ x0: x - 5, x1: x + 5, y0: y + 2, y1: y + 20, item: { of: 'event', i } });
  }

  // heap draws events as columns, three pixels wide; those that failed stand below, in red.
  heap(list, from, to, y) {
    const { events } = this.trace;
    const heaps = new Map();
    for (let k = from; k < to; k++) {
      const i = list[k];
      if (!this.filter.events[i]) continue;
      const column = Math.floor(this.x(events.at[i]) / 3);
      const heap = heaps.get(column) || { all: 0, failed: 0, first: i };
      heap.all++;
      if (events.type[i] === this.failType) heap.failed++;
      heaps.set(column, heap);
    }
    this.columns(heaps, y);
  }

  columns(heaps, y) {
    const c = this.context;
    let most = 1;
    for (const heap of heaps.values()) most = Math.max(most, heap.all);
    const height = (n) => (n === 0 ? 0 : 2 + 13 * (Math.log1p(n) / Math.log1p(most)));
    for (const [column, heap] of heaps) {
      c.fillStyle = this.ink.soft;
      c.fillRect(column * 3, y + 18 - height(heap.all), 2, height(heap.all));
      c.fillStyle = this.ink.bad;
      if (heap.failed > 0) c.fillRect(column * 3, y + 18 - height(heap.failed), 3, height(heap.failed));
      this.hits.push({ x0: column * 3, x1: column * 3 + 3, y0: y + 2, y1: y + 20, item: { of: 'heap', heap } });
    }
  }

  // omitted are those of which only the counts are there.
  omitted(bins, y) {
    const heaps = new Map();
    const { behind, before } = this.trace.omitted;
    bins.events.forEach((all, k) => {
      const at = (k + 0.5) * bins.width;
      if (all > 0 && at > behind && at < before && at >= this.view.from && at <= this.view.to) {
        const column = Math.floor(this.x(at) / 3);
        const heap = heaps.get(column) || { all: 0, failed: 0, first: -1 };
        heap.all += all;
        heap.failed += bins.failed[k];
        heaps.set(column, heap);
      }
    });
    this.columns(heaps, y);
  }

  // losses are shaded over all lanes.
  losses() {
    this.clip((c) => {
      for (let i = 0; i < this.trace.losses.length; i++) {
        const loss = this.trace.losses[i];
        const x0 = this.x(loss.from);
        const x1 = Math.max(this.x(loss.to), x0 + 3);
        if (x1 < this.gutter || x0 > this.width) continue;
        this.shade(c, x0, x1);
        this.hits.unshift({ x0, x1, y0: size.axis, y1: this.visible, item: { of: 'loss', i } });
        c.font = '600 11px system-ui, sans-serif';
        const text = (loss.most ? '≤ ' : '') + loss.count.toLocaleString('en') + (loss.most ? ' unseen' : ' lost');
        const at = Math.max(x0, this.gutter);
        if (x1 - at > c.measureText(text).width + 10) {
          c.fillStyle = this.ink.paper;
          c.fillRect(at + 2, this.visible - 18, c.measureText(text).width + 8, 15);
          c.fillStyle = this.ink.bad;
          c.textBaseline = 'middle';
          c.fillText(text, at + 6, this.visible - 10);
        }
      }
    });
  }

  shade(c, x0, x1) {
    c.save();
    c.beginPath();
    c.rect(x0, size.axis, x1 - x0, this.visible);
    c.clip();
    c.globalAlpha = 0.07;
    c.fillStyle = this.ink.loss;
    c.fillRect(x0, size.axis, x1 - x0, this.visible);
    c.globalAlpha = 0.35;
    c.strokeStyle = this.ink.loss;
    c.lineWidth = 1.5;
    c.beginPath();
    const from = Math.max(x0, this.gutter - 20) - this.visible;
    for (let x = from - (from % 9); x < Math.min(x1, this.width); x += 9) {
      c.moveTo(x, this.visible);
      c.lineTo(x + this.visible, 0);
    }
    c.stroke();
    c.restore();
  }

  // links join an object to those that have its key in other namespaces.
  links() {
    const item = this.hover && this.hover.of === 'object' ? this.hover : this.chosen;
    if (!item || item.of !== 'object') return;
    const own = this.hits.find((hit) => hit.item.of === 'object' && hit.item.i === item.i);
    if (!own) return;
    const twins = new Set(this.trace.twinsOf(item.i));
    this.clip((c) => {
      c.strokeStyle = this.ink.accent;
      c.lineWidth = 1.5;
      c.setLineDash([4, 3]);
      for (const hit of this.hits) {
        if (hit.item.of !== 'object' || !twins.has(hit.item.i)) continue;
        const x0 = Math.max(own.x0, this.gutter) + 14;
        const x1 = Math.max(hit.x0, this.gutter) + 14;
        c.beginPath();
        c.moveTo(x0, (own.y0 + own.y1) / 2);
        c.bezierCurveTo(x0 - 30, own.y1, x1 - 30, hit.y0, x1, (hit.y0 + hit.y1) / 2);
        c.stroke();
        c.strokeRect(hit.x0, hit.y0 - 1, hit.x1 - hit.x0, hit.y1 - hit.y0 + 2);
      }
      c.setLineDash([]);
    });
  }

  // hit is what is drawn at a place, the topmost first.
  hit(x, y) {
    for (let i = this.hits.length - 1; i >= 0; i--) {
      const h = this.hits[i];
      if (x >= h.x0 && x <= h.x1 && y >= h.y0 && y <= h.y1) return h.item;
    }
    return undefined;
  }
}

// lowest is the first place in a sorted list that fits.
function lowest(list, fits) {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (fits(list[middle])) high = middle;
    else low = middle + 1;
  }
  return low;
}
