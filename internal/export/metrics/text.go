package metrics

import "github.com/ipctrace/ipctrace/internal/view"

// maxText is how long the value of a label may be, in bytes.
const maxText = 128

// text is a label's value that other processes may have chosen: it need not be UTF-8,
// and can hold whatever drives a terminal or a dashboard mad.
func text(s string) string { return view.Safe(s, maxText) }
