package inventory

// index finds the System V objects of a namespace. There are maps for what there
// was: most namespaces never have anything in them.
type index struct {
	msg, shm, sem map[int32]*Object
	others        map[objectID]*Object // of kinds that a log may have
}

// of are those of a kind, nil where it is another one.
func (x *index) of(kind string) *map[int32]*Object {
	switch kind {
	case "msg":
		return &x.msg
	case "shm":
		return &x.shm
	case "sem":
		return &x.sem
	}
	return nil
}

func (x *index) find(id objectID) *Object {
	if m := x.of(id.kind); m != nil {
		return (*m)[id.id]
	}
	return x.others[id]
}

func (x *index) add(o *Object) {
	if m := x.of(o.Kind); m != nil {
		put(m, o.ID, o)
	} else {
		put(&x.others, o.id(), o)
	}
}

func (x *index) remove(o *Object) {
	if m := x.of(o.Kind); m != nil {
		delete(*m, o.ID)
	} else {
		delete(x.others, o.id())
	}
}

// put puts a value into a map, which is made when it is needed.
func put[K comparable, V any](m *map[K]V, key K, value V) {
	if *m == nil {
		*m = make(map[K]V)
	}
	(*m)[key] = value
}
