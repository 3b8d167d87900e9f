package screen

// cursor is where the user is in a list that changes under it: on one thing, wherever
// that goes. Until it is moved it is on the first one, whichever that is.
type cursor[K comparable] struct {
	on  K
	set bool // it was moved away from the first one
	at  int  // place in the list
	top int  // of what is seen of it
	by  int  // moves to come, once the list is known
}

// move moves it by so many places, once the list is known.
func (c *cursor[K]) move(by int) { c.by += by }

// put puts it on a thing.
func (c *cursor[K]) put(on K) { c.on, c.set, c.by = on, true, 0 }

// home puts it back on the first one.
func (c *cursor[K]) home() { *c = cursor[K]{} }

// find finds its place in the list as that is now, of which so many rows are seen.
func (c *cursor[K]) find(keys []K, rows int) {
	if len(keys) == 0 {
		c.home()
		return
	}
	c.at = c.place(keys)
	if c.by != 0 {
		c.at = min(max(0, c.at+c.by), len(keys)-1)
		c.by, c.set = 0, c.at > 0
	}
	c.on = keys[c.at]
	c.top = max(min(c.top, c.at, len(keys)-rows), c.at-rows+1, 0)
}

// place of the thing; where that is gone, of what came to be there.
func (c *cursor[K]) place(keys []K) int {
	if !c.set {
		return 0
	}
	for i, key := range keys {
		if key == c.on {
			return i
		}
	}
	return min(c.at, len(keys)-1)
}
