// A trace, as Go wrote it (data.go), with what the page asks of it.
class Trace {
  constructor(raw) {
    Object.assign(this, raw);
    this.from = raw.from;
    this.to = Math.max(raw.to, raw.from + 1000);
    this.origin = BigInt(raw.origin);
    for (const list of ['namespaces', 'processes', 'containers', 'asked', 'losses']) this[list] = raw[list] || [];
    for (const columns of [this.objects, this.events]) for (const name in columns) columns[name] = columns[name] || [];
    this.objectCount = this.objects.ns.length;
    this.eventCount = this.events.at.length;
    this.text = (i) => (i >= 0 ? this.texts[i] : '');
    this.index();
  }

  // index finds what is of which namespace and of which object, once.
  index() {
    const { events, objects } = this;
    this.laneEvents = this.namespaces.map(() => []);
    this.laneObjects = this.namespaces.map(() => []);
    this.objectEvents = Array.from({ length: this.objectCount }, () => []);
    this.twins = new Map();
    for (let i = 0; i < this.eventCount; i++) {
      if (events.ns[i] >= 0) this.laneEvents[events.ns[i]].push(i);
      if (events.object[i] >= 0) this.objectEvents[events.object[i]].push(i);
    }
    for (const list of this.laneEvents) list.sort((a, b) => events.at[a] - events.at[b]);
    for (let i = 0; i < this.objectCount; i++) {
      this.laneObjects[objects.ns[i]].push(i);
      if (objects.private[i] || this.text(objects.key[i]) === '') continue;
      const name = objects.kind[i] + ' ' + objects.key[i];
      if (!this.twins.has(name)) this.twins.set(name, []);
      this.twins.get(name).push(i);
    }
    for (const list of this.laneObjects) list.sort((a, b) => objects.born[a] - objects.born[b]);
    for (const [name, list] of this.twins) if (new Set(list.map((i) => objects.ns[i])).size < 2) this.twins.delete(name);
  }

  // twinsOf are the objects of other namespaces that have the same key or name.
  twinsOf(i) {
    const list = this.twins.get(this.objects.kind[i] + ' ' + this.objects.key[i]) || [];
    return list.filter((other) => this.objects.ns[other] !== this.objects.ns[i]);
  }

  kind(i) { return this.text(this.objects.kind[i]); }
  key(i) { return this.text(this.objects.key[i]); }
  objectName(i) { return (this.kind(i) + ' ' + this.text(this.objects.id[i])).trim(); }
  laneName(i) {
    if (i < 0) return 'not known';
    const n = this.namespaces[i];
    return (this.text(n.name) + ' ' + this.text(n.label)).trim();
  }
  processName(i) {
    if (i < 0) return '';
    const p = this.processes[i];
    return this.text(p[6]) + '[' + p[0] + ']';
  }
  left(i) { return this.objects.end[i] < 0 && this.objects.before[i] !== 1; }
  until(i) { return this.objects.end[i] < 0 ? this.to : this.objects.end[i]; }
  gone(i) {
    if (this.objects.end[i] < 0) return this.left(i) ? 'left behind' : 'still there';
    return this.text(this.objects.cause[i]) || 'cause not known';
  }
  eventType(i) { return this.text(this.events.type[i]); }
  failed(i) { return this.eventType(i) === 'object.fail'; }

  // about is what an event is about: its object, or what it asked for.
  about(i) {
    const object = this.events.object[i];
    if (object >= 0) return this.objectName(object) + ' ' + this.key(object);
    const asked = this.asked[this.events.asked[i]];
    return asked ? (this.text(asked[0]) + ' ' + this.text(asked[1])).trim() + ' ' + this.text(asked[2]) : '';
  }

  // clock is a time of the trace as UTC, with so many digits of a second.
  clock(at, digits = 6) {
    const ns = this.origin + BigInt(Math.round(at));
    const day = new Date(Number(ns / 1000000n)).toISOString();
    const rest = String(((ns % 1000000000n) + 1000000000n) % 1000000000n).padStart(9, '0');
    return day.slice(11, 19) + (digits > 0 ? '.' + rest.slice(0, digits) : '');
  }
  date(at) { return new Date(Number((this.origin + BigInt(Math.round(at))) / 1000000n)).toISOString().slice(0, 10); }
}

function duration(ns) {
  if (ns < 1e3) return Math.round(ns) + ' ns';
  if (ns < 1e6) return (ns / 1e3).toPrecision(3) + ' µs';
  if (ns < 1e9) return (ns / 1e6).toPrecision(3) + ' ms';
  if (ns < 60e9) return (ns / 1e9).toPrecision(3) + ' s';
  const s = Math.round(ns / 1e9);
  if (s < 3600) return Math.floor(s / 60) + ' min ' + (s % 60) + ' s';
  if (s < 86400) return Math.floor(s / 3600) + ' h ' + Math.floor((s % 3600) / 60) + ' min';
  return Math.floor(s / 86400) + ' d ' + Math.floor((s % 86400) / 3600) + ' h';
}

// make builds an element; what it shows is always text.
function make(name, attributes, ...children) {
  const element = document.createElement(name);
  for (const key in attributes || {}) {
    if (key.startsWith('on')) element.addEventListener(key.slice(2), attributes[key]);
    else if (attributes[key] !== undefined && attributes[key] !== false) element.setAttribute(key, attributes[key] === true ? '' : attributes[key]);
  }
  element.append(...children.filter((child) => child !== undefined && child !== null));
  return element;
}

const plural = (n, noun) => n.toLocaleString('en') + ' ' + noun + (n === 1 ? '' : 's');
