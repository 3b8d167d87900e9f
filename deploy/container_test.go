package deploy_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ipctrace/ipctrace/internal/kerneltest"
	"golang.org/x/sys/unix"
)

// TestContainer: nothing but the program, on a root that cannot be written, with what the
// DaemonSet grants, attaches, becomes another user, is ready, and sees what others make.
func TestContainer(t *testing.T) {
	kerneltest.NeedRoot(t)
	runc := kerneltest.NeedProgram(t, "runc")
	dir := t.TempDir()
	bundle(t, runc, dir)
	name := fmt.Sprintf("ipctrace-test-%d", os.Getpid())
	cmd := exec.Command(runc, "--root", filepath.Join(dir, "state"), "run", "--bundle", dir, name)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = exec.Command(runc, "--root", filepath.Join(dir, "state"), "delete", "--force", name).Run() // it may have gone
	}()
	defer time.AfterFunc(time.Minute, func() { _ = cmd.Process.Kill() }).Stop()
	said, address := "", ""
	lines := bufio.NewScanner(stderr)
	for address == "" && lines.Scan() {
		said += lines.Text() + "\n"
		if strings.Contains(lines.Text(), "ipctrace: ready") {
			_, address, _ = strings.Cut(lines.Text(), "health on ")
		}
	}
	const rights = "rights: user 65534, capabilities CAP_DAC_READ_SEARCH CAP_SYS_PTRACE CAP_SYS_ADMIN, no_new_privs, seccomp"
	if address == "" || !strings.Contains(said, rights) {
		t.Fatalf("%q: %s", address, said)
	}
	if got := get(t, address, "/readyz"); got != "ok\n" {
		t.Errorf("readyz: %s", got)
	}
	if out, err := exec.Command(kerneltest.Maker64(t), "-unshare", "msgget:0:0600").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	seen := regexp.MustCompile(`(?m)^ipctrace_events_total\{.*event="object.create",kind="msg".*\} [1-9]`)
	for end := time.Now().Add(20 * time.Second); !seen.MatchString(get(t, address, "/metrics")); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("no queue was seen: %s", get(t, address, "/metrics"))
		}
	}
	if err := cmd.Process.Signal(unix.SIGTERM); err != nil { // runc passes it on
		t.Fatal(err)
	}
	for lines.Scan() {
		said += lines.Text() + "\n"
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v: %s", err, said)
	}
}

func get(t *testing.T, address, path string) string {
	t.Helper()
	answer, err := http.Get("http://" + address + path)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// bundle is what a runtime makes of the image and the manifest, but for the network,
// which is this machine's, and the port, which is any.
func bundle(t *testing.T, runc, dir string) {
	t.Helper()
	build := exec.Command("go", "build", "-trimpath", "-o", filepath.Join(dir, "rootfs", "ipctrace"), "../cmd/ipctrace")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v: %s", err, out)
	}
	if out, err := exec.Command(runc, "spec", "--bundle", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	file := filepath.Join(dir, "config.json")
	var config map[string]any
	if err := json.Unmarshal([]byte(read(t, file)), &config); err != nil {
		t.Fatal(err)
	}
	pod := manifest(t).Spec.Template.Spec
	c := pod.Containers[0]
	caps := make([]string, len(c.SecurityContext.Capabilities.Add))
	for i, name := range c.SecurityContext.Capabilities.Add {
		caps[i] = "CAP_" + name
	}
	process, linux := config["process"].(map[string]any), config["linux"].(map[string]any)
	process["terminal"], process["noNewPrivileges"] = false, false
	process["args"] = append([]string{"/ipctrace"}, c.Args...)
	for i, arg := range c.Args {
		if strings.HasPrefix(arg, "--listen=") {
			process["args"].([]string)[i+1] = "--listen=127.0.0.1:0"
		}
	}
	process["capabilities"] = map[string]any{"bounding": caps, "effective": caps, "permitted": caps}
	config["root"] = map[string]any{"path": "rootfs", "readonly": c.SecurityContext.ReadOnlyRootFilesystem}
	shared := []string{"network"}
	if pod.HostPID {
		shared = append(shared, "pid")
	}
	if pod.HostIPC {
		shared = append(shared, "ipc")
	}
	linux["namespaces"] = slices.DeleteFunc(linux["namespaces"].([]any), func(n any) bool {
		return slices.Contains(shared, n.(map[string]any)["type"].(string))
	})
	mounts := slices.DeleteFunc(config["mounts"].([]any), func(m any) bool {
		return m.(map[string]any)["type"] == "mqueue" // of the host's namespace
	})
	for i, m := range c.VolumeMounts {
		from := pod.Volumes[i].HostPath.Path
		if _, err := os.Stat(from); err != nil {
			t.Logf("without %s: %v", from, err)
			continue
		}
		mounts = slices.DeleteFunc(mounts, func(o any) bool { return o.(map[string]any)["destination"] == m.MountPath })
		mounts = append(mounts, map[string]any{
			"destination": m.MountPath, "type": "bind", "source": from, "options": []string{"rbind", "ro"},
		})
	}
	config["mounts"] = mounts
	text, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, text, 0o644); err != nil {
		t.Fatal(err)
	}
}
