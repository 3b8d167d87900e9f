package main

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

// health is whether a daemon does its work.
type health struct {
	beaten atomic.Int64 // CLOCK_MONOTONIC since start, ns: when who reads last said that it does
	ready  atomic.Bool
	lost   atomic.Uint64 // by all that could lose some, so far
	losing atomic.Int64  // likewise: when that last grew; 0: never
}

const (
	// stale is how long who reads may be silent: it speaks several times a second.
	stale = 10 * time.Second
	// recently is how long a loss makes the daemon not ready.
	recently = time.Minute
)

var began = time.Now()

func (h *health) beat() { h.beaten.Store(int64(time.Since(began))) }

// silent is how long nothing was heard.
func (h *health) silent() time.Duration { return time.Since(began) - time.Duration(h.beaten.Load()) }

// alive is nil while events are read.
func (h *health) alive() error {
	if silent := h.silent(); silent > stale {
		return fmt.Errorf("no events are read since %v", silent.Round(time.Second))
	}
	return nil
}

// readiness is nil while nothing made on the machine is missed.
func (h *health) readiness() error {
	if err := h.alive(); err != nil {
		return err
	}
	if !h.ready.Load() {
		return errors.New("not attached yet")
	}
	if at := h.losing.Load(); at != 0 && time.Since(began)-time.Duration(at) < recently {
		return fmt.Errorf("events were lost within the last %v: %d so far", recently, h.lost.Load())
	}
	return nil
}

// note takes in how much was lost by now.
func (h *health) note(lost uint64) {
	if lost > h.lost.Swap(lost) {
		h.losing.Store(int64(time.Since(began)))
	}
}

// lostSoFar is by the kernel and all outputs.
func (s *server) lostSoFar() uint64 {
	stats := s.trace.tracer.Stats()
	sum := stats.Lost + stats.Skipped
	for _, o := range s.outputs() {
		for _, n := range o.Lost {
			sum += n
		}
	}
	return sum
}

// watch looks after the health, and feeds systemd's watchdog while events are read.
func (s *server) watch(ctx context.Context) error {
	const look = time.Second
	every := look
	watchdog, err := daemon.SdWatchdogEnabled(false)
	if err == nil && watchdog > 0 {
		every = min(look, watchdog/3)
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		s.health.note(s.lostSoFar())
		if watchdog > 0 && s.health.silent() < watchdog {
			_, _ = daemon.SdNotify(false, daemon.SdNotifyWatchdog)
		}
	}
}

// becomeReady says that nothing is missed from now on.
func (s *server) becomeReady(ctx context.Context) error {
	if s.cfg.SelfTest {
		if err := s.selfTest(ctx); err != nil {
			return err
		}
	}
	if err := s.drop(); err != nil {
		return err
	}
	s.health.ready.Store(true)
	s.warn("ready: " + s.status())
	_, _ = daemon.SdNotify(false, daemon.SdNotifyReady+"\nSTATUS="+s.status())
	return nil
}

func (s *server) status() string {
	text := fmt.Sprintf("%s tier", s.trace.start.Tier)
	if s.cfg.Metrics.Listen != "" {
		text += ", metrics and health on " + s.address.String()
	}
	if s.log != nil {
		text += ", recording to " + printable(s.cfg.Record.File)
	}
	if s.otlp != nil {
		text += ", " + s.cfg.OTLP.target()
	}
	return text
}
