package inventory

import (
	"maps"
	"slices"

	"github.com/ipctrace/ipctrace/internal/event"
)

// Clone is a copy for good: it stays as it is while v goes on, or goes on by itself.
// Both share what nobody changes: processes, containers, what lists said.
func (v *Inventory) Clone() *Inventory {
	c := New(v.limits)
	c.totals, c.blind, c.number = v.totals, v.blind, v.number
	twins := make(map[*Object]*Object, v.objects.len+v.gone.len)
	for n := range v.order.all() {
		twin := n.Clone()
		twin.callers = maps.Clone(n.callers)
		c.order.pushBack(&twin.inOrder, twin)
		c.namespaces[identityOf(&n.Namespace)] = twin
		n.cloneObjects(twin, twins)
	}
	for n := range v.touched.all() {
		c.stand(c.namespaces[identityOf(&n.Namespace)])
	}
	for n := range v.freed.all() {
		twin := c.namespaces[identityOf(&n.Namespace)]
		c.freed.pushBack(&twin.inTouched, twin)
	}
	for o := range v.objects.all() {
		c.objects.pushBack(&twins[o].inTouched, twins[o])
	}
	for o := range v.gone.all() {
		c.gone.pushBack(&twins[o].inTouched, twins[o])
	}
	return c
}

// cloneObjects puts copies of all objects into the copy of their namespace.
func (n *Namespace) cloneObjects(twin *Namespace, twins map[*Object]*Object) {
	for o := range n.order.all() {
		c := o.Clone()
		c.home, twins[o] = twin, c
		twin.order.pushBack(&c.inOrder, c)
		twin.index(c)
	}
	for o := range n.gone.all() {
		c := o.Clone()
		c.home, twins[o] = twin, c
		twin.gone.pushBack(&c.inOrder, c)
	}
}

// Clone is a copy, for who shows it, of what is known of the namespace itself: there are
// no objects in it, and it counts no more callers.
func (n *Namespace) Clone() *Namespace {
	c := *n
	c.Containers, c.callers = slices.Clone(n.Containers), nil
	c.objects, c.queues, c.order, c.gone = index{}, queues{}, list[Object]{}, list[Object]{}
	c.inOrder, c.inTouched, c.alike = node[Namespace]{}, node[Namespace]{}, nil
	return &c
}

// Clone is a copy for good.
func (o *Object) Clone() *Object {
	c := *o
	c.inOrder, c.inTouched = node[Object]{}, node[Object]{}
	c.Uses = slices.Clone(o.Uses)
	n := &c.numbers
	c.Inode, c.Size, c.NSems = event.Hold(&n.Inode, o.Inode), event.Hold(&n.Size, o.Size), event.Hold(&n.NSems, o.NSems)
	c.MaxMsg, c.MsgSize = event.Hold(&n.MaxMsg, o.MaxMsg), event.Hold(&n.MsgSize, o.MsgSize)
	c.UID, c.GID = event.Hold(&n.UID, o.UID), event.Hold(&n.GID, o.GID)
	return &c
}
