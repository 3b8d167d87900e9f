// The words of the filter box are those of the flags: kind:msg,shm ns:4026532177
// event:fail errno:ENOSPC pid:1 uid:0 comm:sh container:4f79 key:0x2a cause:rmid left:yes,
// and free text. A minus in front of a word turns it around. All words must match.
const filterWords = ['kind', 'ns', 'event', 'errno', 'cause', 'pid', 'uid', 'comm', 'container', 'key', 'left'];

class Filter {
  constructor(trace, line) {
    this.trace = trace;
    this.unknown = [];
    this.words = line.trim() === '' ? [] : line.trim().split(/\s+/).map((word) => this.parse(word));
    this.apply();
  }

  parse(word) {
    const not = word.length > 1 && word.startsWith('-');
    if (not) word = word.slice(1);
    const colon = word.indexOf(':');
    const name = colon > 0 ? word.slice(0, colon).toLowerCase() : '';
    if (filterWords.includes(name)) {
      const values = word.slice(colon + 1).toLowerCase().split(',').filter((value) => value !== '');
      return { not, name, values };
    }
    if (/^[a-z]+$/.test(name)) this.unknown.push(name);
    return { not, name: 'text', values: [word.toLowerCase()] };
  }

  // apply says of each event, object and namespace whether it is to be shown.
  apply() {
    const { trace } = this;
    this.events = new Uint8Array(trace.eventCount);
    this.objects = new Uint8Array(trace.objectCount);
    this.lanes = new Uint8Array(trace.namespaces.length);
    this.eventTotal = 0;
    this.objectTotal = 0;
    const tests = this.words.map((word) => this.test(word));
    const own = tests.every((test) => test.object);
    for (let i = 0; i < trace.eventCount; i++) {
      if (!tests.every((test) => test.event(i))) continue;
      this.events[i] = 1;
      this.eventTotal++;
      const { object, ns } = trace.events;
      if (ns[i] >= 0) this.lanes[ns[i]] = 1;
      if (object[i] >= 0) this.objects[object[i]] = 1;
    }
    for (let i = 0; i < trace.objectCount; i++) {
      if (own && !this.objects[i] && tests.every((test) => test.object(i))) this.objects[i] = 1;
      if (!this.objects[i]) continue;
      this.objectTotal++;
      this.lanes[trace.objects.ns[i]] = 1;
    }
    const named = tests.every((test) => test.lane);
    for (let i = 0; i < this.lanes.length; i++) if (named && tests.every((test) => test.lane(i))) this.lanes[i] = 1;
    this.laneTotal = this.lanes.reduce((sum, on) => sum + on, 0);
  }

  // test is what a word asks. Each text and process is looked at once, not each event.
  test(word) {
    const turn = (f) => f && (word.not ? (i) => !f(i) : f);
    const test = this.what(word) || this.who(word) || this.free(word);
    return { event: turn(test.event), object: turn(test.object), lane: turn(test.lane) };
  }

  // among says of a text whether it fits one of the word's values.
  among(word, fits) {
    const on = new Uint8Array(this.trace.texts.length);
    this.trace.texts.forEach((text, i) => { on[i] = word.values.some((value) => fits(text.toLowerCase(), value)) ? 1 : 0; });
    return (i) => i >= 0 && on[i] === 1;
  }

  // asked is a field of what an event's call asked for.
  asked(i, field) { return (this.trace.asked[this.trace.events.asked[i]] || [])[field] ?? -1; }

  // what tests what happened, and to what.
  what(word) {
    const { trace } = this;
    const { events, objects } = trace;
    const equal = (text, value) => text === value;
    switch (word.name) {
      case 'kind': {
        const fits = this.among(word, equal);
        return { event: (i) => fits(this.asked(i, 0)), object: (i) => fits(objects.kind[i]) };
      }
      case 'key': {
        const fits = this.among(word, (text, value) => text.includes(value));
        return { event: (i) => fits(this.asked(i, 2)) || fits(objects.key[events.object[i]] ?? -1), object: (i) => fits(objects.key[i]) };
      }
      case 'event': {
        const fits = this.among(word, (text, value) => text === value || text === 'object.' + value || text === 'namespace.' + value);
        return { event: (i) => fits(events.type[i]) };
      }
      case 'errno': {
        const fits = this.among(word, equal);
        return { event: (i) => trace.failed(i) && fits(events.word[i]) };
      }
      case 'cause': {
        const fits = this.among(word, equal);
        return { event: (i) => !trace.failed(i) && fits(events.word[i]), object: (i) => fits(objects.cause[i]) };
      }
      case 'left': {
        const yes = word.values[0] !== 'no';
        const is = (i) => i >= 0 && trace.left(i) === yes;
        return { event: (i) => is(events.object[i]), object: is };
      }
    }
    return undefined;
  }

  // who tests where it happened, and who did it.
  who(word) {
    const { trace } = this;
    const { events, objects } = trace;
    const process = (fits) => {
      const on = trace.processes.map(fits);
      return { event: (i) => on[events.process[i]] === true, object: (i) => on[objects.maker[i]] === true };
    };
    switch (word.name) {
      case 'ns': {
        const on = trace.namespaces.map((n) => word.values.some((value) =>
          (value === 'host' ? n.host === true : trace.text(n.name).startsWith(value)) || trace.text(n.label).toLowerCase() === value));
        return { event: (i) => on[events.ns[i]] === true, object: (i) => on[objects.ns[i]], lane: (i) => on[i] };
      }
      case 'pid': return process((p) => word.values.includes(String(p[0])));
      case 'uid': return process((p) => word.values.includes(String(p[4])));
      case 'comm': {
        const fits = this.among(word, (text, value) => text === value);
        return process((p) => fits(p[6]));
      }
      case 'container': {
        const begins = this.among(word, (text, value) => text.startsWith(value) || text.endsWith(':' + value));
        const on = trace.containers.map((c) => begins(c[0]) || begins(c[1]));
        return { event: (i) => on[events.container[i]] === true, object: (i) => on[objects.container[i]] === true };
      }
    }
    return undefined;
  }

  // free looks for text anywhere.
  free(word) {
    const { trace } = this;
    const { events, objects } = trace;
    const fits = this.among(word, (text, value) => text.includes(value));
    const processes = trace.processes.map((p) => String(p[0]) === word.values[0] || fits(p[6]) || fits(p[7]) || fits(p[8]));
    const lanes = trace.namespaces.map((n) => fits(n.name) || fits(n.label));
    const containers = trace.containers.map((c) => c.some(fits));
    const asks = trace.asked.map((a) => a.some(fits));
    return {
      event: (i) => fits(events.type[i]) || fits(events.word[i]) || fits(events.call[i]) || asks[events.asked[i]] === true ||
        processes[events.process[i]] === true || containers[events.container[i]] === true || lanes[events.ns[i]] === true,
      object: (i) => fits(objects.kind[i]) || fits(objects.id[i]) || fits(objects.key[i]) || fits(objects.cause[i]) ||
        lanes[objects.ns[i]] || processes[objects.maker[i]] === true || processes[objects.remover[i]] === true,
      lane: (i) => lanes[i],
    };
  }
}
