package nsresolve

import (
	"strconv"
	"strings"
)

// Container is what a cgroup path says of the container it belongs to. ID is
// 64 hexadecimal digits, or the name with systemd-nspawn and lxc. Runtime is
// docker, containerd, cri-o, podman, runc, crun, systemd-nspawn or lxc;
// kubernetes for a pod's container whose path does not say which runtime it is;
// unknown for an id under a parent of somebody's own choice.
type Container struct{ ID, Runtime string }

const shortID = 12

func (c Container) label() string {
	if isID(c.ID) {
		return c.Runtime + ":" + c.ID[:shortID]
	}
	return c.Runtime + ":" + c.ID
}

// verdict is what one component of a path says.
type verdict int

const (
	says verdict = iota // nothing
	payload
	monitor // a runtime's own process beside the container, which is on the host
)

// runtimes maps the prefix of a scope ("docker-ID.scope") or of a cgroupfs name
// ("crio-ID", "kubepods-pod1.slice:cri-containerd:ID") to the runtime.
var runtimes = map[string]string{
	"docker":         "docker",
	"cri-containerd": "containerd",
	"containerd":     "containerd",
	"nerdctl":        "containerd",
	"crio":           "cri-o",
	"libpod":         "podman",
	"libpod-payload": "podman", // podman run --cgroups=split
	"runc":           "runc",
	"crun":           "crun",
}

// ParseCgroup finds the container in a cgroup path, v1 or v2.
//
// The outermost container counts. The names below it are chosen by who is
// inside, where the cgroup is delegated, so an inner name must not be able to
// pass for another container of the host's. Who may make cgroups on the host
// may still call them anything.
func ParseCgroup(path string) (Container, bool) {
	c, _, ok := parseCgroup(path)
	return c, ok
}

// parseCgroup also tells which part of the path is the container's own cgroup.
func parseCgroup(path string) (c Container, own string, ok bool) {
	if !strings.HasPrefix(path, "/") || len(path) > maxPath {
		return c, "", false
	}
	parts := strings.Split(path[1:], "/")
	for i := range parts {
		c, v := parseComponent(parts, i)
		switch v {
		case payload:
			return c, "/" + strings.Join(parts[:i+1], "/"), true
		case monitor:
			return Container{}, "", false
		}
	}
	return c, "", false
}

func parseComponent(parts []string, i int) (Container, verdict) {
	for _, parse := range []func([]string, int) (Container, verdict){
		parseConmon, parseScope, parseTriple, parseBare, parseNspawn, parseLXC,
	} {
		if c, v := parse(parts, i); v != says {
			return c, v
		}
	}
	return Container{}, says
}

// parseConmon knows the supervisors of podman and cri-o.
func parseConmon(parts []string, i int) (Container, verdict) {
	for _, prefix := range []string{"libpod-conmon-", "crio-conmon-"} {
		if strings.HasPrefix(parts[i], prefix) {
			return Container{}, monitor
		}
	}
	return Container{}, says
}

// parseScope knows PREFIX-ID.scope, and without the suffix where cgroups are
// not made by systemd.
func parseScope(parts []string, i int) (Container, verdict) {
	name := strings.TrimSuffix(parts[i], ".scope")
	dash := strings.LastIndexByte(name, '-')
	if dash < 0 || !isID(name[dash+1:]) {
		return Container{}, says
	}
	if runtime, ok := runtimes[name[:dash]]; ok {
		return Container{ID: name[dash+1:], Runtime: runtime}, payload
	}
	return Container{}, says
}

// parseTriple knows SLICE:PREFIX:ID, which a runtime without systemd support
// makes of a path meant for systemd.
func parseTriple(parts []string, i int) (Container, verdict) {
	f := strings.Split(parts[i], ":")
	if len(f) != 3 || !isID(f[2]) {
		return Container{}, says
	}
	if runtime, ok := runtimes[f[1]]; ok {
		return Container{ID: f[2], Runtime: runtime}, payload
	}
	return Container{}, says
}

// parseBare knows an id alone; its parents tell the runtime.
func parseBare(parts []string, i int) (Container, verdict) {
	if !isID(parts[i]) {
		return Container{}, says
	}
	runtime := "unknown"
	for _, p := range parts[:i] {
		switch {
		case p == "docker", p == "ecs":
			runtime = "docker"
		case p == "kubepods", p == "kubepods.slice", strings.HasPrefix(p, "kubepods-"):
			runtime = "kubernetes"
		case p == "libpod_parent":
			runtime = "podman"
		}
	}
	return Container{ID: parts[i], Runtime: runtime}, payload
}

// parseNspawn knows the service template and the scopes that systemd-machined
// makes. The child "supervisor" is systemd-nspawn itself. Virtual machines of
// libvirt are scopes of machined too, but no containers.
func parseNspawn(parts []string, i int) (Container, verdict) {
	name, ok := between(parts[i], "systemd-nspawn@", ".service")
	if !ok {
		name, ok = between(parts[i], "machine-", ".scope")
		ok = ok && i > 0 && parts[i-1] == "machine.slice"
	}
	if !ok {
		return Container{}, says
	}
	name = unescapeUnit(name)
	if !isName(name) || strings.HasPrefix(name, "qemu-") {
		return Container{}, says
	}
	if i+1 < len(parts) && parts[i+1] == "supervisor" {
		return Container{}, monitor
	}
	if rest, ok := strings.CutPrefix(name, "lxc-"); ok { // libvirt: lxc-NUMBER-NAME
		if number, domain, ok := strings.Cut(rest, "-"); ok && isNumber(number) && domain != "" {
			return Container{ID: domain, Runtime: "lxc"}, payload
		}
	}
	return Container{ID: name, Runtime: "systemd-nspawn"}, payload
}

// parseLXC knows /lxc/NAME, and since LXC 4 lxc.payload.NAME and
// lxc.payload/NAME beside the monitor's.
func parseLXC(parts []string, i int) (Container, verdict) {
	part := parts[i]
	if part == "lxc.monitor" || strings.HasPrefix(part, "lxc.monitor.") {
		return Container{}, monitor
	}
	name, ok := strings.CutPrefix(part, "lxc.payload.")
	if !ok && (part == "lxc" || part == "lxc.payload") && i+1 < len(parts) {
		name, ok = parts[i+1], true
	}
	if !ok || !isName(name) {
		return Container{}, says
	}
	return Container{ID: name, Runtime: "lxc"}, payload
}

func between(s, prefix, suffix string) (string, bool) {
	s, ok1 := strings.CutPrefix(s, prefix)
	s, ok2 := strings.CutSuffix(s, suffix)
	return s, ok1 && ok2
}

// unescapeUnit undoes the \x2d of systemd's unit names.
func unescapeUnit(s string) string {
	var out strings.Builder
	for i := 0; i < len(s); i++ {
		if strings.HasPrefix(s[i:], `\x`) && i+4 <= len(s) {
			if n, err := strconv.ParseUint(s[i+2:i+4], 16, 8); err == nil {
				out.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		out.WriteByte(s[i])
	}
	return out.String()
}

// isID: every runtime here makes ids of 32 random bytes.
func isID(s string) bool {
	if len(s) != 64 {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// isName holds what a machine or LXC container may be called, and no more, so
// that a Container never carries bytes that need escaping.
func isName(s string) bool {
	if s == "" || len(s) > 255 || s[0] == '.' {
		return false
	}
	for i := range len(s) {
		c := s[i]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !letter && (c < '0' || c > '9') && c != '-' && c != '_' && c != '.' {
			return false
		}
	}
	return true
}

func isNumber(s string) bool {
	_, err := strconv.ParseUint(s, 10, 32)
	return err == nil
}
