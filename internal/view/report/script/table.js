// The tables are the timeline in words: what is on it is in them.
const pageOfRows = 200;

// tableKinds are the tables, each with its columns: a heading, the text of a row, and what
// it is sorted by where that is not the text.
const tableKinds = [
  {
    name: 'Events', of: 'event',
    rows: (t, f) => range(t.eventCount, (i) => f.events[i]),
    columns: [
      { head: 'Time', mono: true, text: (t, i) => t.clock(t.events.at[i]), by: (t, i) => t.events.at[i] },
      { head: 'Event', text: (t, i) => t.eventType(i), bad: (t, i) => t.failed(i) },
      { head: 'Namespace', text: (t, i) => t.laneName(t.events.ns[i]) },
      { head: 'Object', mono: true, text: (t, i) => t.about(i) },
      { head: 'Why', text: (t, i) => t.text(t.events.word[i]) + (t.events.late[i] > 0 ? ' (' + t.text(t.events.late[i]) + ')' : ''), bad: (t, i) => t.failed(i) },
      { head: 'Process', text: (t, i) => t.processName(t.events.process[i]) },
      { head: 'UID', number: true, text: (t, i) => (t.events.process[i] < 0 ? '' : String(t.processes[t.events.process[i]][4])), by: (t, i) => (t.events.process[i] < 0 ? -1 : t.processes[t.events.process[i]][4]) },
      { head: 'Container', text: (t, i) => (t.events.container[i] < 0 ? '' : t.text(t.containers[t.events.container[i]][1])) },
      { head: 'Call', text: (t, i) => t.text(t.events.call[i]) },
    ],
  },
  {
    name: 'Objects', of: 'object',
    rows: (t, f) => range(t.objectCount, (i) => f.objects[i]),
    columns: [
      { head: 'Object', text: (t, i) => t.objectName(i), by: (t, i) => t.kind(i) + t.text(t.objects.id[i]).padStart(12, '0') },
      { head: 'Key or name', mono: true, text: (t, i) => t.key(i) },
      { head: 'Namespace', text: (t, i) => t.laneName(t.objects.ns[i]) },
      { head: 'Made', mono: true, text: (t, i) => (t.objects.before[i] === 1 ? 'there before' : t.clock(t.objects.born[i]) + (t.objects.before[i] === 2 ? ' or before' : '')), by: (t, i) => (t.objects.before[i] === 1 ? -1 : t.objects.born[i]) },
      { head: 'Made by', text: (t, i) => t.processName(t.objects.maker[i]) },
      { head: 'Gone', mono: true, text: (t, i) => (t.objects.end[i] < 0 ? '' : t.clock(t.objects.end[i])), by: (t, i) => (t.objects.end[i] < 0 ? Infinity : t.objects.end[i]) },
      { head: 'How', text: (t, i) => t.gone(i) + (t.objects.late[i] > 0 ? ' (' + t.text(t.objects.late[i]) + ')' : '') },
      { head: 'By', text: (t, i) => t.processName(t.objects.remover[i]) },
      { head: 'Lived', number: true, text: (t, i) => (t.objects.end[i] < 0 || t.objects.before[i] === 1 ? '' : duration(t.objects.end[i] - t.objects.born[i])), by: (t, i) => t.until(i) - t.objects.born[i] },
      { head: 'Size', text: (t, i) => t.text(t.objects.size[i]) },
      { head: 'Mode', mono: true, text: (t, i) => t.text(t.objects.mode[i]) },
      { head: 'Owner', number: true, text: (t, i) => (t.objects.owner[i] < 0 ? '' : String(t.objects.owner[i])), by: (t, i) => t.objects.owner[i] },
      { head: 'Events', number: true, text: (t, i) => String(t.objectEvents[i].length), by: (t, i) => t.objectEvents[i].length },
    ],
  },
  {
    name: 'Namespaces', of: 'lane',
    rows: (t, f) => range(t.namespaces.length, (i) => f.lanes[i]),
    columns: [
      { head: 'Namespace', text: (t, i) => t.text(t.namespaces[i].name) },
      { head: 'Label', text: (t, i) => t.text(t.namespaces[i].label) },
      { head: 'Born in', text: (t, i) => (t.namespaces[i].parent < 0 ? '' : t.laneName(t.namespaces[i].parent)) },
      { head: 'Born', mono: true, text: (t, i) => (t.namespaces[i].born < 0 ? 'there before' : t.clock(t.namespaces[i].born)), by: (t, i) => t.namespaces[i].born },
      { head: 'By', text: (t, i) => t.processName(t.namespaces[i].maker) },
      { head: 'Ended', mono: true, text: (t, i) => (t.namespaces[i].freed < 0 ? '' : t.clock(t.namespaces[i].freed)), by: (t, i) => (t.namespaces[i].freed < 0 ? Infinity : t.namespaces[i].freed) },
      { head: 'Made', number: true, text: (t, i) => String(t.namespaces[i].created), by: (t, i) => t.namespaces[i].created },
      { head: 'Opened', number: true, text: (t, i) => String(t.namespaces[i].opened), by: (t, i) => t.namespaces[i].opened },
      { head: 'Failed', number: true, text: (t, i) => String(t.namespaces[i].failed), by: (t, i) => t.namespaces[i].failed, bad: (t, i) => t.namespaces[i].failed > 0 },
      { head: 'Removed', number: true, text: (t, i) => String(t.namespaces[i].removed), by: (t, i) => t.namespaces[i].removed },
    ],
  },
];

function range(n, fits) {
  const rows = [];
  for (let i = 0; i < n; i++) if (fits(i)) rows.push(i);
  return rows;
}

// Table shows one kind of rows at a time, some hundreds of them.
class Table {
  constructor(trace, number, choose) {
    this.trace = trace;
    this.choose = choose;
    this.kind = tableKinds[0];
    this.sort = new Map();
    this.panel = make('div', { class: 'rows', role: 'tabpanel', id: 'panel-' + number, tabindex: '0' });
    this.tabs = make('div', { class: 'tabs', role: 'tablist', 'aria-label': 'Tables', onkeydown: (e) => this.key(e) });
    this.buttons = tableKinds.map((kind, i) => make('button', {
      type: 'button', role: 'tab', id: 'tab-' + number + '-' + i, 'aria-controls': 'panel-' + number, onclick: () => this.show(kind),
    }));
    this.tabs.append(...this.buttons);
    this.element = make('div', {}, this.tabs, this.panel);
  }

  key(e) {
    const at = tableKinds.indexOf(this.kind);
    const next = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: tableKinds.length - 1 }[e.key];
    if (next === undefined) return;
    e.preventDefault();
    this.show(tableKinds[(next + tableKinds.length) % tableKinds.length]);
    this.buttons[tableKinds.indexOf(this.kind)].focus();
  }

  show(kind) {
    this.kind = kind;
    this.fill();
  }

  filter(filter) {
    this.current = filter;
    this.fill();
  }

  // fill writes the table anew.
  fill() {
    const counts = [this.current.eventTotal, this.current.objectTotal, this.current.laneTotal];
    this.buttons.forEach((button, i) => {
      const on = tableKinds[i] === this.kind;
      button.setAttribute('aria-selected', on);
      button.tabIndex = on ? 0 : -1;
      button.textContent = tableKinds[i].name + ' ' + counts[i].toLocaleString('en');
      if (on) this.panel.setAttribute('aria-labelledby', button.id);
    });
    this.rows = this.kind.rows(this.trace, this.current);
    const sort = this.sort.get(this.kind);
    if (sort) this.order(sort);
    this.body = make('tbody');
    const head = make('tr', {}, ...this.kind.columns.map((column) => this.heading(column, sort)));
    this.rest = make('p', { class: 'more' });
    const caption = make('caption', { class: 'unseen' }, this.kind.name);
    const table = make('table', {}, caption, make('thead', {}, head), this.body);
    this.panel.replaceChildren(this.rows.length > 0 ? table : make('p', { class: 'none' }, 'Nothing matches the filter.'), this.rest);
    this.more();
  }

  heading(column, sort) {
    const sorted = sort && sort.column === column ? (sort.down ? 'descending' : 'ascending') : undefined;
    return make('th', { scope: 'col', 'aria-sort': sorted, class: column.number ? 'number' : undefined },
      make('button', { type: 'button', onclick: () => this.click(column) }, column.head));
  }

  click(column) {
    const sort = this.sort.get(this.kind);
    this.sort.set(this.kind, { column, down: sort !== undefined && sort.column === column && !sort.down });
    this.fill();
    const at = this.kind.columns.indexOf(column);
    this.panel.querySelectorAll('thead button')[at].focus();
  }

  order({ column, down }) {
    const { trace } = this;
    const values = new Map(this.rows.map((i) => [i, (column.by || column.text)(trace, i)]));
    const compare = column.by && !values.values().next().done && typeof values.values().next().value === 'number'
      ? (a, b) => values.get(a) - values.get(b) || a - b
      : (a, b) => (values.get(a) < values.get(b) ? -1 : values.get(a) > values.get(b) ? 1 : a - b);
    this.rows.sort(down ? (a, b) => -compare(a, b) : compare);
  }

  // more writes the next rows.
  more(all) {
    const from = this.body.childElementCount;
    const to = Math.min(this.rows.length, from + (all ? this.rows.length : pageOfRows));
    for (let r = from; r < to; r++) this.body.append(this.row(this.rows[r]));
    this.rest.replaceChildren();
    if (to < this.rows.length) {
      this.rest.append((this.rows.length - to).toLocaleString('en') + ' more ',
        make('button', { type: 'button', onclick: () => this.more() }, 'Show ' + Math.min(pageOfRows, this.rows.length - to) + ' more'));
    }
  }

  row(i) {
    const { trace, kind } = this;
    const item = { of: kind.of, i };
    const cells = kind.columns.map((column, c) => {
      const text = column.text(trace, i);
      const name = [column.mono && 'mono', column.number && 'number', column.bad && column.bad(trace, i) && 'bad'].filter(Boolean).join(' ');
      const content = c === 0 ? make('button', { type: 'button' }, text) : (column.bad && column.bad(trace, i) && text !== '' && c === 1 ? '✗ ' + text : text);
      return make('td', { class: name || undefined }, content);
    });
    const row = make('tr', { 'data-item': kind.of + '-' + i, onclick: () => this.choose(item) }, ...cells);
    if (this.chosen === kind.of + '-' + i) row.className = 'chosen';
    return row;
  }

  mark(item) {
    this.chosen = item ? item.of + '-' + item.i : '';
    for (const row of this.panel.querySelectorAll('tr.chosen')) row.className = '';
    const row = [...this.body.children].find((r) => r.dataset.item === this.chosen);
    if (row) row.className = 'chosen';
  }
}
