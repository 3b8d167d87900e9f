package inventory

import "github.com/ipctrace/ipctrace/internal/event"

// mq is the kind that has names for keys and no ids.
const mq = "mq"

// queues finds the POSIX queues of a namespace. An unlinked one lives on while
// somebody has it open, and a new one may have its name: so a queue is its inode
// number where that is known, and a name is that of the one not unlinked.
type queues struct {
	inodes map[uint64]*Object
	names  map[string]*Object
}

func (q *queues) find(o *event.Object) *Object {
	if o.Inode != nil {
		if found := q.inodes[*o.Inode]; found != nil && (found.Name == o.Name || found.Name == "" || o.Name == "") {
			return found
		}
	}
	if found := q.names[o.Name]; found != nil && (found.Inode == nil || o.Inode == nil) {
		return found
	}
	return nil
}

// rivals have the number, or the name.
func (q *queues) rivals(o *Object) []*Object {
	var rivals []*Object
	if o.Inode != nil && q.inodes[*o.Inode] != nil {
		rivals = append(rivals, q.inodes[*o.Inode])
	}
	if other := q.names[o.Name]; other != nil && !o.marked && (len(rivals) == 0 || rivals[0] != other) {
		rivals = append(rivals, other)
	}
	return rivals
}

func (q *queues) index(o *Object) {
	if o.Inode != nil {
		put(&q.inodes, *o.Inode, o)
	}
	if !o.marked && o.Name != "" {
		put(&q.names, o.Name, o)
	}
}

func (q *queues) unindex(o *Object) {
	if o.Inode != nil && q.inodes[*o.Inode] == o {
		delete(q.inodes, *o.Inode)
	}
	if q.names[o.Name] == o {
		delete(q.names, o.Name)
	}
}

// removedQueue is the queue that is gone. Where its inode number is not known it
// is the one that has been unlinked for longest: no other can go.
func (n *Namespace) removedQueue(eo *event.Object) *Object {
	found := n.queues.find(eo)
	if found != nil && found.marked || eo.Name == "" {
		return found
	}
	if found != nil && found.Inode != nil && eo.Inode != nil {
		return found
	}
	for o := range n.order.all() {
		if o.Kind == mq && o.marked && o.Name == eo.Name && (o.Inode == nil || eo.Inode == nil) {
			return o
		}
	}
	return found
}

// Queued are the inode numbers of the namespaces that have queues, as far as is known.
func (v *Inventory) Queued() map[uint64]bool {
	queued := make(map[uint64]bool)
	for n := range v.touched.all() {
		if len(n.queues.inodes)+len(n.queues.names) > 0 {
			queued[n.Inode] = true
		}
	}
	return queued
}
