package view

import (
	"errors"
	"os/user"
	"sync"
	"testing"
)

func TestUsers(t *testing.T) {
	u := testUsers()
	check(t, []string{u.Name(0), u.Name(33), u.Name(12345), u.Name(666)},
		[]string{"root", "www-data", "12345", `ev\x1b[2Jil\n`})
}

func TestUsersAreAskedOnce(t *testing.T) {
	asked := 0
	u := &Users{Lookup: func(string) (*user.User, error) {
		asked++
		return nil, errors.New("unknown")
	}}
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() { u.Name(7) })
	}
	all.Wait()
	check(t, asked, 1)
	for uid := range uint32(3 * maxUsers) {
		u.Name(uid)
		if len(u.names) > maxUsers {
			t.Fatalf("%d names kept", len(u.names))
		}
	}
}

func TestUsersOfThisMachine(t *testing.T) {
	if name := new(Users).Name(0); name == "" {
		t.Error("no name for uid 0")
	}
}
