package stream

// AskAlive has the stream ask alive instead of the kernel.
func (s *Stream) AskAlive(alive func(id, inode uint64) (bool, error)) { s.alive = alive }
