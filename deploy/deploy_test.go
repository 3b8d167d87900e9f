// Package deploy_test holds what is deployed against what the program says of itself.
package deploy_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
	"github.com/ipctrace/ipctrace/internal/kerneltest"
	"github.com/ipctrace/ipctrace/internal/privilege"
)

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestTable: the table of docs/privileges.md is that of the program.
func TestTable(t *testing.T) {
	doc := read(t, "../docs/privileges.md")
	var rows []string
	for _, n := range privilege.Needs {
		rows = append(rows, fmt.Sprintf("| `%s` | %s | %s | %s | %s |", privilege.Name(n.Cap), n.Task, n.For, n.Running, n.Without))
	}
	if want := strings.Join(rows, "\n") + "\n\n"; !strings.Contains(doc, "\n"+want) {
		t.Errorf("docs/privileges.md is to have\n%s", want)
	}
}

// settings are those of a unit, in order, by name: an empty one takes back those before.
func settings(t *testing.T, name string) map[string][]string {
	t.Helper()
	all := map[string][]string{}
	for line := range strings.Lines(read(t, name)) {
		key, value, ok := strings.Cut(strings.TrimSpace(line), "=")
		switch {
		case !ok || strings.HasPrefix(key, "#"):
		case value == "":
			all[key] = nil
		default:
			all[key] = append(all[key], value)
		}
	}
	return all
}

// TestUnit: the unit grants what is documented for what it runs, and nothing else.
func TestUnit(t *testing.T) {
	for name, tasks := range map[string][]privilege.Task{
		"ipctrace.service":   {privilege.Tracing, privilege.Looking},
		"ipctrace-less.conf": {privilege.Tracing},
	} {
		unit := settings(t, name)
		want := []string{privilege.Names(privilege.For(tasks...))}
		for _, key := range []string{"AmbientCapabilities", "CapabilityBoundingSet"} {
			if diff := cmp.Diff(want, unit[key]); diff != "" {
				t.Errorf("%s: %s: %s", name, key, diff)
			}
		}
	}
	unit := settings(t, "ipctrace.service")
	for key, want := range map[string]string{
		"Type": "notify", "NoNewPrivileges": "yes", "ProtectSystem": "strict", "ExecReload": "/bin/kill -HUP $MAINPID",
		"RestrictNamespaces": "ipc",
	} {
		if got := strings.Join(unit[key], " "); got != want {
			t.Errorf("%s=%s, want %s", key, got, want)
		}
	}
	for _, key := range []string{"PrivateIPC", "PrivateUsers", "ProtectProc", "PrivatePIDs", "PrivateNetwork"} {
		if unit[key] != nil {
			t.Errorf("%s: it would not see what it is for", key)
		}
	}
	// Go ends with 2 when it is aborted, which is what the watchdog does.
	if slices.Contains(strings.Fields(strings.Join(unit["RestartPreventExitStatus"], " ")), "2") {
		t.Error("what hangs is not started again")
	}
}

// TestAnalyze: systemd finds nothing wrong with the unit, and the exposure that
// docs/privileges.md says.
func TestAnalyze(t *testing.T) {
	analyze := kerneltest.NeedProgram(t, "systemd-analyze")
	dir := t.TempDir()
	unit := filepath.Join(dir, "ipctrace.service")
	program := filepath.Join(dir, "ipctrace") // any
	if err := os.Symlink("/bin/true", program); err != nil {
		t.Fatal(err)
	}
	text := strings.ReplaceAll(read(t, "ipctrace.service"), "/usr/local/bin/ipctrace", program)
	if err := os.WriteFile(unit, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	run := func(args ...string) string {
		t.Helper()
		out, err := exec.Command(analyze, args...).CombinedOutput()
		if err != nil {
			t.Errorf("%q: %v: %s", args, err, out)
		}
		return string(out)
	}
	if out := run("verify", "--man=no", unit); out != "" {
		t.Errorf("verify: %s", out)
	}
	doc := strings.Join(strings.Fields(read(t, "../docs/privileges.md")), " ")
	says := regexp.MustCompile(`exposure of (\d+\.\d)`).FindAllStringSubmatch(doc, -1)
	if len(says) != 2 {
		t.Fatalf("docs/privileges.md says %v", says)
	}
	exposure := regexp.MustCompile(`(?m)Overall exposure level for \S+: (\d+\.\d)`)
	version := regexp.MustCompile(`systemd (\d+)`).FindStringSubmatch(run("--version"))
	check := func(what, want string) {
		t.Helper()
		got := exposure.FindStringSubmatch(run("security", "--no-pager", "--offline=true", unit))
		if version != nil && version[1] != "252" { // another one weighs otherwise
			t.Logf("systemd %s: %s: %v", version[1], what, got)
			return
		}
		if got == nil || got[1] != want {
			t.Errorf("%s: %v, docs/privileges.md says %s", what, got, want)
		}
	}
	check("ipctrace.service", says[0][1])
	less := strings.ReplaceAll(read(t, "ipctrace-less.conf"), "/usr/local/bin/ipctrace", program)
	dropIn := filepath.Join(dir, "ipctrace.service.d")
	if err := errors.Join(os.Mkdir(dropIn, 0o755), os.WriteFile(filepath.Join(dropIn, "less.conf"), []byte(less), 0o644)); err != nil {
		t.Fatal(err)
	}
	if out := run("verify", "--man=no", unit); out != "" {
		t.Errorf("verify with the drop-in: %s", out)
	}
	check("with ipctrace-less.conf", says[1][1])
}

// daemonSet is what daemonset.yaml has of one: what else there is, is refused.
type daemonSet struct {
	APIVersion string `yaml:"apiVersion"`
	Kind       string
	Metadata   metadata
	Spec       struct {
		Selector struct {
			MatchLabels map[string]string `yaml:"matchLabels"`
		}
		Template struct {
			Metadata metadata
			Spec     pod
		}
	}
}

type metadata struct {
	Name, Namespace     string
	Labels, Annotations map[string]string
}

type pod struct {
	HostPID                       bool              `yaml:"hostPID"`
	HostIPC                       bool              `yaml:"hostIPC"`
	AutomountServiceAccountToken  *bool             `yaml:"automountServiceAccountToken"`
	EnableServiceLinks            *bool             `yaml:"enableServiceLinks"`
	TerminationGracePeriodSeconds int               `yaml:"terminationGracePeriodSeconds"`
	NodeSelector                  map[string]string `yaml:"nodeSelector"`
	Tolerations                   []struct{ Operator string }
	Containers                    []container
	Volumes                       []struct {
		Name     string
		HostPath struct{ Path, Type string } `yaml:"hostPath"`
	}
}

type container struct {
	Name, Image string
	Args        []string
	Ports       []struct {
		Name          string
		ContainerPort int `yaml:"containerPort"`
	}
	SecurityContext struct {
		RunAsUser              *int `yaml:"runAsUser"`
		ReadOnlyRootFilesystem bool `yaml:"readOnlyRootFilesystem"`
		Capabilities           struct{ Drop, Add []string }
		SeccompProfile         struct{ Type string } `yaml:"seccompProfile"`
		AppArmorProfile        struct{ Type string } `yaml:"appArmorProfile"`
	} `yaml:"securityContext"`
	LivenessProbe  probe `yaml:"livenessProbe"`
	ReadinessProbe probe `yaml:"readinessProbe"`
	Resources      struct{ Requests, Limits map[string]string }
	VolumeMounts   []struct {
		Name      string
		MountPath string `yaml:"mountPath"`
		ReadOnly  bool   `yaml:"readOnly"`
	} `yaml:"volumeMounts"`
}

type probe struct {
	HTTPGet             struct{ Path, Port string } `yaml:"httpGet"`
	InitialDelaySeconds int                         `yaml:"initialDelaySeconds"`
	PeriodSeconds       int                         `yaml:"periodSeconds"`
	FailureThreshold    int                         `yaml:"failureThreshold"`
}

func manifest(t *testing.T) daemonSet {
	t.Helper()
	documents := yaml.NewDecoder(strings.NewReader(read(t, "daemonset.yaml")), yaml.DisallowUnknownField())
	var namespace struct {
		APIVersion string `yaml:"apiVersion"`
		Kind       string
		Metadata   metadata
	}
	var set daemonSet
	if err := errors.Join(documents.Decode(&namespace), documents.Decode(&set)); err != nil {
		t.Fatal(err)
	}
	if err := documents.Decode(&set); !errors.Is(err, io.EOF) {
		t.Errorf("more than two documents: %v", err)
	}
	if namespace.Kind != "Namespace" || set.Metadata.Namespace != namespace.Metadata.Name || set.Kind != "DaemonSet" {
		t.Errorf("%+v, %+v", namespace, set.Metadata)
	}
	return set
}

// TestDaemonSet: it takes what is documented, and nothing else.
func TestDaemonSet(t *testing.T) {
	set := manifest(t)
	pod := set.Spec.Template.Spec
	if !pod.HostPID || !pod.HostIPC || len(pod.Containers) != 1 || len(pod.Volumes) != 2 {
		t.Errorf("%+v", pod)
	}
	if diff := cmp.Diff(set.Spec.Selector.MatchLabels, set.Spec.Template.Metadata.Labels); diff != "" {
		t.Errorf("selector and labels: %s", diff)
	}
	c := pod.Containers[0]
	var want []string
	for _, c := range privilege.For(privilege.Tracing, privilege.Looking, privilege.Becoming) {
		want = append(want, strings.TrimPrefix(privilege.Name(c), "CAP_"))
	}
	security := c.SecurityContext
	if diff := cmp.Diff(want, security.Capabilities.Add); diff != "" {
		t.Errorf("capabilities: %s", diff)
	}
	if !slices.Equal(security.Capabilities.Drop, []string{"ALL"}) || !security.ReadOnlyRootFilesystem ||
		security.SeccompProfile.Type != "RuntimeDefault" || security.RunAsUser == nil || *security.RunAsUser != 0 {
		t.Errorf("%+v", security)
	}
	for i, m := range c.VolumeMounts {
		if !m.ReadOnly || m.Name != pod.Volumes[i].Name || m.MountPath != pod.Volumes[i].HostPath.Path {
			t.Errorf("%+v of %+v", m, pod.Volumes[i])
		}
	}
	if c.LivenessProbe.HTTPGet.Path != "/healthz" || c.ReadinessProbe.HTTPGet.Path != "/readyz" || c.Ports[0].ContainerPort != 9464 ||
		c.LivenessProbe.HTTPGet.Port != c.Ports[0].Name || c.ReadinessProbe.HTTPGet.Port != c.Ports[0].Name {
		t.Errorf("%+v", c)
	}
	if c.Resources.Limits["memory"] == "" || c.Resources.Requests["memory"] == "" {
		t.Errorf("%+v", c.Resources)
	}
}

// TestContainerfile: the program alone, by the Go that go.mod asks for.
func TestContainerfile(t *testing.T) {
	file := read(t, "Containerfile")
	version := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindStringSubmatch(read(t, "../go.mod"))
	if !strings.Contains(file, "FROM golang:"+version[1]+" AS build\n") || !strings.Contains(file, "\nFROM scratch\n") {
		t.Errorf("%s", file)
	}
	for _, line := range regexp.MustCompile(`(?m)^RUN .*go build (.*)$`).FindAllStringSubmatch(file, -1) {
		out, err := exec.Command("go", append([]string{"build"}, strings.Fields(strings.ReplaceAll(
			strings.ReplaceAll(line[1], "'-s -w'", "-w"), "/ipctrace ./cmd", os.DevNull+" ../cmd"))...)...).CombinedOutput()
		if err != nil {
			t.Errorf("%v: %s", err, bytes.TrimSpace(out))
		}
	}
}
