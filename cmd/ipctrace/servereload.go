package main

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"reflect"
	"strings"
	"syscall"

	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/sys/unix"
)

// reload takes in the filters that the file has now. A file that is wrong changes
// nothing.
func (s *server) reload(c *cobra.Command) {
	if s.health.ready.Load() { // else that was not said yet, and is not to be said here
		defer notifyReload()()
	}
	if s.log != nil {
		s.log.Reopen()
	}
	if s.cfg.file == "" {
		return
	}
	next, p, err := s.cfg.planAnew(c.Flags())
	if err != nil {
		s.warn(fmt.Sprintf("not reloaded: %v", err))
		return
	}
	if differs := s.cfg.same(next); len(differs) > 0 {
		s.warn("reload: to be changed takes a restart: " + strings.Join(differs, ", "))
	}
	if reflect.DeepEqual(next.Filters, s.cfg.Filters) {
		s.warn("reloaded: the filters are as they were")
		return
	}
	s.cfg.Filters = next.Filters
	s.filter.Store(&p.filter)
	s.trace.renew(&renewal{p.filter, p.words})
	s.warn(strings.TrimSpace("reloaded: filters: " + strings.Join(p.words, " ")))
}

// notifyReload tells systemd that it begins, and then that it is over.
func notifyReload() (over func()) {
	var now unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &now) // fails only for a bad pointer
	_, _ = daemon.SdNotify(false, fmt.Sprintf("%s\nMONOTONIC_USEC=%d", daemon.SdNotifyReloading, now.Nano()/1000))
	return func() { _, _ = daemon.SdNotify(false, daemon.SdNotifyReady) }
}

// planAnew is that, if it can be served.
func (s *serveConfig) planAnew(f *pflag.FlagSet) (next *serveConfig, p *plan, err error) {
	if next, err = s.anew(f); err != nil {
		return nil, nil, err
	}
	p, err = next.plan()
	return next, p, err
}

// anew is what the same flags and the file as it is now say.
func (s *serveConfig) anew(f *pflag.FlagSet) (*serveConfig, error) {
	var next serveConfig
	own := pflag.NewFlagSet("serve", pflag.ContinueOnError)
	next.add(own)
	var errs []error
	f.Visit(func(flag *pflag.Flag) {
		same := own.Lookup(flag.Name)
		if same == nil { // --config, --no-color
			return
		}
		list, isList := flag.Value.(pflag.SliceValue)
		if !isList {
			errs = append(errs, own.Set(flag.Name, flag.Value.String()))
			return
		}
		errs = append(errs, own.Set(flag.Name, ""), same.Value.(pflag.SliceValue).Replace(list.GetSlice()))
	})
	return &next, errors.Join(append(errs, next.load(s.file, own))...)
}

// reloadOnHangup lets SIGHUP mean what it means to daemons, also under nohup.
func (s *server) reloadOnHangup(reload func()) (stop func()) {
	hangupMeans.Store(&reload)
	hangups := make(chan os.Signal, 1)
	if signal.Ignored(syscall.SIGHUP) {
		signal.Notify(hangups, syscall.SIGHUP)
	}
	go func() {
		for range hangups {
			reload()
		}
	}()
	return func() {
		signal.Stop(hangups)
		close(hangups)
	}
}
