package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/ipctrace/ipctrace/internal/privilege"
)

// become makes this process that of the user to serve as, before anything is opened.
func (s *server) become() error {
	if s.cfg.User == "" {
		return nil
	}
	err := privilege.Become(s.cfg.User)
	switch {
	case errors.Is(err, privilege.ErrNoUser):
		return s.cfg.place(refused("user", " %s: %w", s.cfg.User, err))
	case err != nil:
		return fmt.Errorf("%w: %w", errCannot, err)
	}
	return nil
}

// drop gives up what serving does not take.
func (s *server) drop() error {
	report, err := privilege.Drop(s.tasks())
	if err != nil {
		return fmt.Errorf("give up rights: %w", err)
	}
	s.warn("rights: " + report.String())
	return nil
}

// tasks is what is still to be done once the hooks are attached.
func (s *server) tasks() privilege.Config {
	cfg := privilege.Config{Looks: s.cfg.Looks}
	if s.cfg.OTLP.Spool != "" {
		cfg.Write = append(cfg.Write, s.cfg.OTLP.Spool)
	}
	if s.log == nil {
		return cfg
	}
	cfg.Write = append(cfg.Write, filepath.Dir(s.cfg.Record.File))
	switch to := s.cfg.Record.SealTo; {
	case strings.HasPrefix(to, "|"):
		cfg.Exec = true
	case to != "" && !strings.Contains(to, "://"):
		cfg.Write = append(cfg.Write, filepath.Dir(to))
	}
	return cfg
}
