package event

// ParseAny reads a line as if another program had written it.
var ParseAny = parse

// IsOwn says whether a line is as AppendJSON writes what happens often.
func IsOwn(line []byte) bool { return new(Event).read(line) }
