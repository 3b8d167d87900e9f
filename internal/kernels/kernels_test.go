package kernels

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	bootLimit  = 30 * time.Minute // one guest, from power on: more than its test binaries together
	testLimit  = "12m"            // one test binary in it: it then says where it hangs
	guestTests = "^TestKernel"
)

// guestPackages are the packages whose tests are run in the guest.
var guestPackages = []string{"tracer", "nsresolve", "cmd/ipctrace"}

// sibling is the 32-bit architecture the same kernel runs.
var sibling = map[string]string{"amd64": "386", "arm64": "arm"}

// wantedTests are those that IPCTRACE_TESTS, a regular expression, names: all.
func wantedTests() string {
	if some := os.Getenv("IPCTRACE_TESTS"); some != "" {
		return some
	}
	return guestTests
}

// TestKernels runs the tests called TestKernel… of guestPackages, or those that
// IPCTRACE_TESTS names, on every kernel of the matrix, or on those that
// IPCTRACE_KERNEL names.
func TestKernels(t *testing.T) {
	if os.Getenv("IPCTRACE_KERNELS_TEST") != "1" {
		t.Skip("make test-kernels runs it")
	}
	entries, err := Matrix()
	if err != nil {
		t.Fatal(err)
	}
	entries, err = Select(entries, os.Getenv("IPCTRACE_KERNEL"))
	if err != nil {
		t.Fatal(err)
	}
	cache, err := CacheDir()
	if err != nil {
		t.Fatal(err)
	}
	fetchErr := Fetch(t.Context(), "./fetch.sh", cache, entries...)
	builds := &builds{root: moduleRoot(t), dir: t.TempDir()}
	failures := new(failures)
	t.Cleanup(func() { failures.log(t) })
	slots := make(chan struct{}, 2) // boots at a time
	for _, e := range entries {
		t.Run(e.Name, func(t *testing.T) {
			t.Parallel()
			if !e.Fetched(cache) {
				unavailable(t, fetchErr)
			}
			slots <- struct{}{}
			defer func() { <-slots }()
			runEntry(t, cache, e, builds, failures)
		})
	}
}

// unavailable ends a test for want of a kernel: here that is no fault, in CI it is.
func unavailable(t *testing.T, err error) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("no kernel: %v", err)
	}
	t.Skipf("no kernel: %v", err)
}

// failures are those of all guests. They are told once more at the end: of a long
// output that is what is read.
type failures struct {
	mu  sync.Mutex
	all []string
}

// add adds those of a job that failed: what its tests logged, or else how it ended.
func (f *failures) add(entry string, job JobResult, out TestOutput) {
	f.mu.Lock()
	defer f.mu.Unlock()
	note := func(what string, log []string) {
		const most = 15 // lines
		log = slices.DeleteFunc(slices.Clone(log), func(line string) bool { return strings.TrimSpace(line) == "" })
		log = log[max(0, len(log)-most):]
		f.all = append(f.all, strings.Join(append([]string{entry + ": " + job.Name + ": " + what}, log...), "\n\t"))
	}
	for _, failed := range out.Failures {
		note(failed.Name, failed.Log)
	}
	switch {
	case len(out.Failures) > 0:
	case out.NoTests:
		note("no tests", nil)
	default:
		note(fmt.Sprintf("exit status %d", job.Status), strings.Split(job.Output, "\n"))
	}
}

func (f *failures) log(t *testing.T) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.all) > 0 {
		t.Logf("failed in the guests:\n%s", strings.Join(f.all, "\n"))
	}
}

func runEntry(t *testing.T, cache string, e Entry, builds *builds, failures *failures) {
	files, err := builds.get(e.Arch)
	if err != nil {
		t.Fatal(err)
	}
	image := Initramfs{Files: files, Jobs: guestJobs(e)}
	result := boot(t, cache, e, image)
	if len(result.Jobs) != len(image.Jobs) {
		t.Errorf("%d of %d test binaries ran", len(result.Jobs), len(image.Jobs))
	}
	for _, job := range result.Jobs {
		if out := ParseTests(job.Output); !report(t, job, out) {
			failures.add(e.Name, job, out)
		}
	}
}

// boot runs an image on an entry's kernel and fails the test if the guest did
// not come to its end.
func boot(t *testing.T, cache string, e Entry, image Initramfs) Result {
	t.Helper()
	began := time.Now()
	end := began.Add(bootLimit)
	if deadline, ok := t.Deadline(); ok && deadline.Before(end) {
		end = deadline.Add(-10 * time.Second) // leave time to report
	}
	ctx, cancel := context.WithDeadlineCause(t.Context(), end, errors.New("its time was up"))
	defer cancel()
	result, err := e.Run(ctx, cache, image)
	if err != nil {
		t.Errorf("%s: %v", e.Name, err)
		t.Logf("console:\n%s", result.Console)
	}
	t.Logf("kernel %s, %.0f s", result.Kernel, time.Since(began).Seconds())
	return result
}

// report judges one test binary's run in the guest, and says whether it passed.
func report(t *testing.T, job JobResult, out TestOutput) (passed bool) {
	failed := job.Status != 0 || wantedTests() == guestTests && (out.NoTests || len(out.TopLevel) == 0)
	switch {
	case job.Status < 0:
		t.Errorf("%s did not end", job.Name)
	case job.Status > 0:
		t.Errorf("%s: exit status %d", job.Name, job.Status)
	case failed:
		t.Errorf("%s: no tests called %s", job.Name, guestTests)
	}
	for _, s := range out.Skips {
		if os.Getenv("CI") == "true" && !s.NotApplicable() {
			t.Errorf("%s: SKIP %s: %s", job.Name, s.Name, s.Reason)
		} else {
			t.Logf("%s: SKIP %s: %s", job.Name, s.Name, s.Reason)
		}
	}
	if failed {
		t.Logf("%s:\n%s", job.Name, job.Output)
	} else {
		t.Logf("%s:\n%s", job.Name, strings.Join(out.TopLevel, "\n"))
	}
	return !failed
}

func guestJobs(e Entry) []Job {
	env := "env GOTRACEBACK=all IPCTRACE_MAKER=/test/bin/ipcmaker IPCTRACE_MAKER32=/test/bin/ipcmaker32 IPCTRACE_IN_GUEST=" + e.Name
	var jobs []Job
	for _, pkg := range guestPackages {
		jobs = append(jobs, Job{
			Name: pkg,
			Dir:  "/test/" + pkg,
			Line: fmt.Sprintf("%s ./%s -test.v -test.run '%s' -test.timeout %s", env, testBinary(pkg), wantedTests(), testLimit),
		})
	}
	return jobs
}

// testBinary is what `go test -c` would call it: tracer.test.
func testBinary(pkg string) string { return filepath.Base(pkg) + ".test" }

// builds makes each architecture's binaries once.
type builds struct {
	root, dir string

	mu   sync.Mutex
	done map[string]func() (map[string]string, error)
}

func (b *builds) get(arch string) (map[string]string, error) {
	b.mu.Lock()
	if b.done == nil {
		b.done = map[string]func() (map[string]string, error){}
	}
	if b.done[arch] == nil {
		b.done[arch] = sync.OnceValues(func() (map[string]string, error) { return b.build(arch) })
	}
	build := b.done[arch]
	b.mu.Unlock()
	return build()
}

// build returns the guest's files: path in the guest to path here.
func (b *builds) build(arch string) (map[string]string, error) {
	files := map[string]string{}
	for _, pkg := range guestPackages {
		name := testBinary(pkg)
		binary := filepath.Join(b.dir, arch, name)
		if err := b.goBuild(arch, "test", "-c", "-o", binary, "./"+pkg); err != nil {
			return nil, err
		}
		files["/test/"+pkg+"/"+name] = binary
		testdata := filepath.Join(b.root, pkg, "testdata")
		if info, err := os.Stat(testdata); err == nil && info.IsDir() {
			files["/test/"+pkg+"/testdata"] = testdata
		}
	}
	for name, arch := range map[string]string{"ipcmaker": arch, "ipcmaker32": sibling[arch]} {
		binary := filepath.Join(b.dir, arch, name)
		if err := b.goBuild(arch, "build", "-o", binary, "./internal/ipcmaker"); err != nil {
			return nil, err
		}
		files["/test/bin/"+name] = binary
	}
	return files, nil
}

func (b *builds) goBuild(arch string, args ...string) error {
	cmd := exec.Command("go", args...)
	cmd.Dir = b.root
	cmd.Env = append(os.Environ(), "GOFLAGS=-ldflags=-w -buildvcs=false", "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go %s for %s: %w\n%s", strings.Join(args, " "), arch, err, bytes.TrimSpace(out))
	}
	return nil
}

func moduleRoot(t *testing.T) string {
	t.Helper()
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(root, "go.mod")); err != nil {
		t.Fatal(err)
	}
	return root
}
