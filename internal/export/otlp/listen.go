package otlp

import (
	"errors"
	"sync"

	"github.com/go-logr/logr/funcr"
	"go.opentelemetry.io/otel"
)

// ear hears what OpenTelemetry's own packages have to say, which would go to stderr.
// They have one for the whole program.
type ear struct {
	once sync.Once

	mu      sync.Mutex
	warn    func(string) // nil: nobody wants to hear
	opening bool
	faults  []error // while it opens: a variable that is not understood is said so, and passed over
}

var hears ear

// listen lets who opens an output hear it; nil: nobody. What is heard until faults is
// called is an error there.
func listen(warn func(string)) (faults func() error) {
	hears.once.Do(func() {
		otel.SetErrorHandler(otel.ErrorHandlerFunc(hears.hear))
		const warnings = 1 // verbosity
		otel.SetLogger(funcr.New(func(_, text string) { hears.hear(errors.New(text)) }, funcr.Options{Verbosity: warnings}))
	})
	hears.mu.Lock()
	defer hears.mu.Unlock()
	hears.warn, hears.opening, hears.faults = warn, warn != nil, nil
	return hears.opened
}

func (h *ear) opened() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.opening = false
	return errors.Join(h.faults...)
}

func (h *ear) hear(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.opening:
		h.faults = append(h.faults, err)
	case h.warn != nil:
		h.warn("otlp: " + brief(err.Error()))
	}
}
