// lines about an item: a title, and pairs of a name and a value. A value may be a
// button that leads to another item.
function describe(trace, item, link) {
  switch (item.of) {
    case 'event': return describeEvent(trace, item.i, link);
    case 'object': return describeObject(trace, item.i, link);
    case 'lane': return describeLane(trace, item.i, link);
    case 'loss': return describeLoss(trace, item.i);
  }
  const { heap } = item;
  return { title: plural(heap.all, 'event'), facts: [['failed', String(heap.failed)], ['', heap.first < 0 ? 'counted, not told one by one' : 'click to zoom in']] };
}

function describeEvent(t, i, link) {
  const e = t.events;
  const facts = [['time', t.date(e.at[i]) + ' ' + t.clock(e.at[i], 9) + ' UTC'], ['namespace', link({ of: 'lane', i: e.ns[i] }, t.laneName(e.ns[i]))]];
  const add = (name, value) => { if (value !== '' && value !== undefined) facts.push([name, value]); };
  if (e.from[i] >= 0) add('from', link({ of: 'lane', i: e.from[i] }, t.laneName(e.from[i])));
  if (t.failed(i)) add('error', t.text(e.word[i]));
  else add('cause', t.text(e.word[i]));
  if (e.object[i] >= 0) add('object', link({ of: 'object', i: e.object[i] }, t.about(i)));
  const asked = t.asked[e.asked[i]];
  if (asked) {
    if (e.object[i] < 0) add('object', t.about(i));
    if (t.text(asked[3]) !== '-') add('size', t.text(asked[3]));
    add('mode', t.text(asked[4]));
    add('flags', t.text(asked[5]));
  }
  add('call', t.text(e.call[i]));
  add('known', t.text(e.late[i]));
  processFacts(t, e.process[i], add);
  containerFacts(t, e.container[i], add);
  add('line', 'seq ' + e.seq[i]);
  return { title: t.eventType(i) + (t.failed(i) ? ' · ' + t.text(e.word[i]) : ''), bad: t.failed(i), facts };
}

function processFacts(t, i, add) {
  if (i < 0) return;
  const p = t.processes[i];
  add('process', t.processName(i));
  if (p[1] !== p[0]) add('thread', String(p[1]));
  if (p[2] !== 0 && p[2] !== p[0]) add('in its pid namespace', String(p[2]));
  add('parent', t.text(p[7]) + '[' + p[3] + ']');
  add('user, group', p[4] + ', ' + p[5]);
  add('cgroup', t.text(p[8]));
}

function containerFacts(t, i, add) {
  if (i < 0) return;
  add('container', t.text(t.containers[i][1]));
  add('container id', t.text(t.containers[i][0]));
  add('image', t.text(t.containers[i][2]));
}

function describeObject(t, i, link) {
  const o = t.objects;
  const facts = [['namespace', link({ of: 'lane', i: o.ns[i] }, t.laneName(o.ns[i]))], [t.kind(i) === 'mq' ? 'name' : 'key', t.key(i) + (o.private[i] ? ' (private)' : '')]];
  const add = (name, value) => { if (value !== '' && value !== undefined) facts.push([name, value]); };
  add('made', o.before[i] === 1 ? 'before, or unseen' : t.clock(o.born[i]) + (o.before[i] === 2 ? ', or found then: the hooks cannot tell' : ''));
  add('made by', t.processName(o.maker[i]));
  if (o.marked[i] >= 0) add('removed for new users', t.clock(o.marked[i]));
  add('gone', o.end[i] < 0 ? t.gone(i) : t.clock(o.end[i]) + ' · ' + t.gone(i));
  add('known', t.text(o.late[i]));
  add('gone by', t.processName(o.remover[i]));
  add('size', t.text(o.size[i]));
  add('mode', t.text(o.mode[i]));
  if (o.owner[i] >= 0) add('owner', String(o.owner[i]));
  containerFacts(t, o.container[i], add);
  for (const twin of t.twinsOf(i).slice(0, 10)) add('≠ same key in', link({ of: 'object', i: twin }, t.laneName(o.ns[twin]) + ': ' + t.objectName(twin)));
  return { title: t.objectName(i), facts, events: t.objectEvents[i] };
}

function describeLane(t, i, link) {
  if (i < 0) return { title: 'Namespace not known', facts: [] };
  const n = t.namespaces[i];
  const facts = [];
  const add = (name, value) => { if (value !== '' && value !== undefined) facts.push([name, value]); };
  add('label', t.text(n.label));
  add('inode number', n.inode);
  if (n.parent >= 0) add('born in', link({ of: 'lane', i: n.parent }, t.laneName(n.parent)));
  add('born', n.born < 0 ? 'before, or unseen' : t.clock(n.born));
  add('by', t.processName(n.maker));
  add('ended', n.freed < 0 ? 'not in this trace' : t.clock(n.freed));
  add('known', t.text(n.late));
  containerFacts(t, n.container, add);
  add('calls', n.created + ' made, ' + n.opened + ' opened, ' + n.failed + ' failed, ' + n.removed + ' removed');
  if (n.omitted) add('left out', plural(n.omitted, 'object'));
  return { title: 'IPC namespace ' + t.text(n.name), facts, events: t.laneEvents[i] };
}

function describeLoss(t, i) {
  const loss = t.losses[i];
  return {
    title: (loss.most ? 'At most ' + plural(loss.count, 'event') + ' not seen' : plural(loss.count, 'event') + ' lost'), bad: true,
    facts: [['from', t.clock(loss.from)], ['to', t.clock(loss.to)], ['where', loss.output ? 'on the way to the log' : loss.most ? 'the kernel skipped a hook' : 'in the kernel: the buffer was full']],
  };
}
