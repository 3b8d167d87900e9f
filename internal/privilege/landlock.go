package privilege

import (
	"errors"
	"fmt"

	"github.com/landlock-lsm/go-landlock/landlock"
	ll "github.com/landlock-lsm/go-landlock/landlock/syscall"
	"github.com/moby/sys/capability"
)

// Rights of files that Landlock knows, as far as they change something. To read is
// left to the rights of the user: the queues of a namespace are in a mount that is
// in no mount table, where no rule can lead.
const (
	writing = ll.AccessFSWriteFile | ll.AccessFSTruncate |
		ll.AccessFSRemoveDir | ll.AccessFSRemoveFile | ll.AccessFSRefer |
		ll.AccessFSMakeReg | ll.AccessFSMakeDir | ll.AccessFSMakeSym |
		ll.AccessFSMakeSock | ll.AccessFSMakeFifo | ll.AccessFSMakeChar | ll.AccessFSMakeBlock
	// within are those that the directories of the outputs give.
	// Not to move a file into another one: the first version cannot give that.
	within = ll.AccessFSWriteFile | ll.AccessFSTruncate |
		ll.AccessFSRemoveFile | ll.AccessFSRemoveDir | ll.AccessFSMakeReg | ll.AccessFSMakeDir
)

// confine lets all threads write below some directories only, and execute nothing
// unless that is asked for.
func confine(cfg Config) error {
	// hook_ptrace_access_check in security/landlock/task.c asks of a process that is
	// looked at that it be confined as this one is, whatever capabilities this one has.
	if Holds(capability.CAP_SYS_PTRACE) {
		return errors.New("under it other processes cannot be seen into, as looks do")
	}
	if landlockVersion() == 0 {
		return errors.New("this kernel does not have it, or has not turned it on")
	}
	handled := landlock.AccessFSSet(writing)
	if !cfg.Exec {
		handled |= ll.AccessFSExecute
	}
	rules := []landlock.Rule{landlock.PathAccess(ll.AccessFSWriteFile, "/dev/null").IgnoreIfMissing()}
	if len(cfg.Write) > 0 {
		rules = append(rules, landlock.PathAccess(within, cfg.Write...))
	}
	if err := landlock.MustConfig(handled).BestEffort().RestrictPaths(rules...); err != nil {
		return fmt.Errorf("write only below %q: %w", cfg.Write, err)
	}
	return nil
}

// landlockVersion is 0 where there is none.
func landlockVersion() int {
	version, err := ll.LandlockGetABIVersion()
	if err != nil {
		return 0
	}
	return version
}
