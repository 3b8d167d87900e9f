package inventory

// numbers are the namespaces that have not ended, by inode number. No two have one
// at once, but of one whose end was not seen it is only known when the next one is
// told of.
type numbers map[uint64]*Namespace

func (m numbers) add(n *Namespace) {
	n.alike = m[n.Inode]
	m[n.Inode] = n
}

func (m numbers) remove(n *Namespace) {
	switch other := m[n.Inode]; {
	case other != n:
		for other.alike != n {
			other = other.alike
		}
		other.alike = n.alike
	case n.alike != nil:
		m[n.Inode] = n.alike
	default:
		delete(m, n.Inode)
	}
	n.alike = nil
}
