package collector_test

import (
	"testing"

	"github.com/ipctrace/ipctrace/internal/collector"
)

// TestValidate: a collector can be built here, and knows what it can do.
func TestValidate(t *testing.T) {
	if out, err := collector.Validate(t, "no-such-file"); err == nil {
		t.Errorf("no error: %s", out)
	}
}
