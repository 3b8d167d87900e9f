package main

import (
	"context"
	"errors"
	"sync"

	"github.com/ipctrace/ipctrace/internal/view/screen"
)

// background is what runs beside a trace. An error of one ends all.
type background struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
	ended  sync.WaitGroup

	mu   sync.Mutex // guards errs
	errs []error
}

func newBackground(ctx context.Context, cancel context.CancelCauseFunc) *background {
	return &background{ctx: ctx, cancel: cancel}
}

func (b *background) run(work func(ctx context.Context) error) {
	b.ended.Go(func() {
		defer screen.GiveBack()
		err := work(b.ctx)
		if err == nil || errors.Is(err, context.Canceled) {
			return
		}
		b.mu.Lock()
		b.errs = append(b.errs, err)
		b.mu.Unlock()
		b.cancel(err)
	})
}

// wait waits for all, once they were told to end.
func (b *background) wait() error {
	b.ended.Wait()
	return errors.Join(b.errs...)
}
