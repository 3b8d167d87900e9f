package nsresolve_test

import (
	"context"
	"fmt"
	"os"

	"github.com/ipctrace/ipctrace/nsresolve"
)

func Example() {
	r := nsresolve.New(nsresolve.Options{})
	snapshot, err := r.Scan(context.Background())
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, ns := range snapshot.Namespaces {
		for _, p := range ns.Processes {
			if p.PID == os.Getpid() {
				fmt.Println("found this process")
			}
		}
	}
	// Output: found this process
}

func ExampleResolver_Lookup() {
	r := nsresolve.New(nsresolve.Options{})
	ns := r.Lookup(nsresolve.InitialInode, nsresolve.Maker{PID: 62293, Comm: "bash"})
	fmt.Println(ns.Inode, ns.Label)
	// Output: 4026531839 host
}

func ExampleResolver_Diff() {
	r := nsresolve.New(nsresolve.Options{})
	links, err := r.Diff(os.Getpid(), os.Getpid())
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, l := range links {
		if l.Name == "ipc" {
			fmt.Println(l.Name, l.Same)
		}
	}
	// Output: ipc true
}

func ExampleParseCgroup() {
	c, ok := nsresolve.ParseCgroup("/system.slice/docker-4f797c539e6c745de61a93ca3ff892358ecbcaccd8414d5db545c38428142970.scope")
	fmt.Println(c.Runtime, c.ID[:12], ok)
	// Output: docker 4f797c539e6c true
}
