// The page: a trace in view, what is chosen in it, and its details.
const tip = document.getElementById('tip');
const details = document.getElementById('details');
const said = document.getElementById('said');

function say(text) { said.textContent = text; }

class View {
  constructor(section) {
    this.section = section;
    const source = section.querySelector('script.data');
    this.trace = new Trace(JSON.parse(source.textContent));
    source.remove();
    const number = section.id.replace('trace-', '');
    this.timeline = new Timeline(this.trace, { choose: (item, focus) => this.choose(item, focus), picked: (item) => this.picked(item), tip: (item, x, y) => this.tip(item, x, y) });
    this.table = new Table(this.trace, number, (item) => this.choose(item));
    this.build(number);
    section.addEventListener('keydown', (e) => this.key(e));
    for (const row of section.querySelectorAll('[data-object]')) this.lead(row);
    this.filter('');
  }

  // lead has a row of what was left behind lead to its object.
  lead(row) {
    const cell = row.cells[0];
    cell.replaceChildren(make('button', { type: 'button' }, cell.textContent));
    row.addEventListener('click', () => this.choose({ of: 'object', i: Number(row.dataset.object) }));
  }

  build(number) {
    const app = this.section.querySelector('.app');
    this.box = make('input', {
      type: 'search', id: 'filter-' + number, spellcheck: 'false', autocomplete: 'off',
      'aria-label': 'Filter', placeholder: 'Filter: kind:msg,shm  ns:4026…  event:fail  errno:ENOSPC  pid:  uid:  comm:  left:yes  or any text   ( / )',
    });
    let wait;
    this.box.addEventListener('input', () => {
      clearTimeout(wait);
      wait = setTimeout(() => this.filter(this.box.value), 120);
    });
    this.counts = make('span', { class: 'counts', role: 'status' });
    const button = (text, label, does) => make('button', { type: 'button', 'aria-label': label, title: label, onclick: does }, text);
    const tools = make('div', { class: 'bar-tools' }, this.box, this.counts,
      button('−', 'Zoom out (−)', () => this.timeline.zoom(2)), button('+', 'Zoom in (+)', () => this.timeline.zoom(0.5)), button('All', 'Show all (0)', () => this.timeline.all()));
    app.append(tools, this.timeline.element, legend(), this.table.element);
    app.hidden = false;
  }

  filter(line) {
    const filter = new Filter(this.trace, line);
    this.current = filter;
    const { trace } = this;
    const part = (n, all, noun) => (n === all ? plural(all, noun) : n.toLocaleString('en') + ' of ' + plural(all, noun));
    this.counts.replaceChildren(part(filter.eventTotal, trace.eventCount, 'event') + ' · ' + part(filter.objectTotal, trace.objectCount, 'object'));
    if (filter.unknown.length > 0) this.counts.append(make('span', { class: 'wrong' }, ' · no such word: ' + filter.unknown.join(', ') + ' (taken as text)'));
    this.timeline.filter(filter);
    this.table.filter(filter);
  }

  key(e) {
    if (e.target === this.box) {
      if (e.key === 'Escape' && this.box.value !== '') {
        this.box.value = '';
        this.filter('');
      }
      return;
    }
    if (e.ctrlKey || e.metaKey || e.altKey || this.timeline.chart.contains(e.target)) return;
    const does = { '+': () => this.timeline.zoom(0.5), '-': () => this.timeline.zoom(2), 0: () => this.timeline.all() }[e.key];
    if (does) {
      e.preventDefault();
      does();
    }
  }

  tip(item, x, y) {
    tip.hidden = !item;
    if (!item) return;
    const { title, facts } = describe(this.trace, item, (_, text) => text);
    tip.replaceChildren(make('b', {}, title), ...facts.slice(0, 7).map(([name, value]) => make('div', {}, (name ? name + ': ' : '') + value)));
    const left = x + 16 + tip.offsetWidth > window.innerWidth ? x - tip.offsetWidth - 12 : x + 16;
    tip.style.left = Math.max(4, left) + 'px';
    tip.style.top = Math.max(4, Math.min(y + 14, window.innerHeight - tip.offsetHeight - 8)) + 'px';
  }

  // picked: the keyboard goes over it.
  picked(item) {
    const { title, facts } = describe(this.trace, item, (_, text) => text);
    say(title + ', ' + facts.map(([name, value]) => name + ' ' + value).slice(0, 5).join(', '));
    this.table.mark(item);
    if (!details.hidden) this.detail(item);
  }

  choose(item, focus) {
    if (item.i < 0) return;
    tip.hidden = true;
    this.timeline.mark(item);
    if (item.of !== 'loss') this.timeline.reveal(item);
    this.table.mark(item);
    this.detail(item);
    if (focus || document.activeElement === document.body) details.querySelector('.shut').focus();
  }

  detail(item) {
    const link = (to, text) => (to.i < 0 ? text : make('button', { type: 'button', onclick: () => this.choose(to) }, text));
    const { title, bad, facts, events } = describe(this.trace, item, link);
    if (details.hidden) this.back = document.activeElement;
    const list = make('dl', {});
    for (const [name, value] of facts) list.append(make('dt', {}, name), make('dd', {}, value));
    const shut = make('button', { type: 'button', class: 'shut', onclick: () => this.shut() }, 'Close');
    details.replaceChildren(shut, make('h2', {}, (bad ? '✗ ' : '') + title), list, ...this.history(events || []));
    showDetails(true);
    say(title);
  }

  // history is what happened to it.
  history(events) {
    if (events.length === 0) return [];
    const most = 60;
    const { trace } = this;
    const rows = events.slice(0, most).map((i) => make('li', {}, make('button', { type: 'button', onclick: () => this.choose({ of: 'event', i }) },
      trace.clock(trace.events.at[i]) + '  ' + trace.eventType(i).replace('object.', '')), ' ' + (trace.failed(i) ? '✗ ' : '') + trace.text(trace.events.word[i]) + ' ' + trace.processName(trace.events.process[i])));
    if (events.length > most) rows.push(make('li', {}, 'and ' + (events.length - most).toLocaleString('en') + ' more'));
    return [make('h3', {}, plural(events.length, 'event')), make('ul', {}, ...rows)];
  }

  shut() {
    showDetails(false);
    this.timeline.mark(undefined);
    this.table.mark(undefined);
    if (this.back && this.back.isConnected) this.back.focus();
  }
}

function legend() {
  const kind = (name, text) => make('span', { class: 'kind-' + name }, make('i', { 'aria-hidden': 'true' }), text);
  const sign = (mark, text, name) => make('span', {}, make('b', { class: name }, mark), ' ' + text);
  return make('div', { class: 'legend' }, kind('msg', 'message queue'), kind('shm', 'shared memory'), kind('sem', 'semaphores'), kind('mq', 'POSIX queue'),
    sign('×', 'failed', 'fail'), sign('●', 'event'), sign('↓', 'a process joins'), sign('┇▏', 'there before'), sign('▶', 'never removed'), sign('≠', 'same key elsewhere: another object'), sign('▨', 'events lost'),
    make('span', {}, 'Drag moves, Ctrl and wheel zoom, arrows go from event to event.'));
}

// showDetails makes room for them, where there is.
function showDetails(on) {
  details.hidden = !on;
  document.documentElement.classList.toggle('detailed', on);
}

document.documentElement.classList.add('js');
const views = new Map();

// choose shows one of the traces. What is not shown is not built.
function chooseTrace(number) {
  for (const section of document.querySelectorAll('section.trace')) section.hidden = section.id !== 'trace-' + number;
  if (!views.has(number)) views.set(number, new View(document.getElementById('trace-' + number)));
  showDetails(false);
  views.current = views.get(number);
}

const chooser = document.getElementById('choose');
if (chooser) chooser.addEventListener('change', () => chooseTrace(chooser.value));
chooseTrace('0');

document.addEventListener('keydown', (e) => {
  const typing = e.target.matches('input, select, textarea');
  if (e.key === '/' && !typing) {
    e.preventDefault();
    views.current.box.focus();
  } else if (e.key === 'Escape' && !details.hidden && !typing) {
    views.current.shut();
  }
});
