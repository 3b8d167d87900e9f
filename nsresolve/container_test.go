package nsresolve

import (
	"strings"
	"testing"
)

const (
	idA = "4f797c539e6c745de61a93ca3ff892358ecbcaccd8414d5db545c38428142970"
	idB = "9ec39b91f3d70e1beff50a308f77067065ea6be0d91a3378375056cd4422cf3d"
	pod = "ac04f3f2-1f2c-11e9-b015-1ebee232acfa"
)

var cgroupCases = []struct{ name, path, runtime, id string }{
	{"docker cgroupfs", "/docker/" + idA, "docker", idA},
	{"docker systemd", "/system.slice/docker-" + idA + ".scope", "docker", idA},
	{"docker rootless", "/user.slice/user-1000.slice/user@1000.service/user.slice/docker-" + idA + ".scope", "docker", idA},
	{"docker runs systemd", "/docker/" + idA + "/system.slice/cron.service", "docker", idA},
	{"docker, seen from a cgroup namespace", "/../../docker/" + idA, "docker", idA},
	{"docker by a wrong driver", "/system.slice:docker:" + idA, "docker", idA},
	{"docker in kubernetes", "/kubepods.slice/kubepods-pod1.slice/docker-" + idA + ".scope", "docker", idA},
	{"ecs", "/ecs/0123456789abcdef0123456789abcdef/" + idA, "docker", idA},
	{"containerd systemd", "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod1_2.slice/cri-containerd-" + idA + ".scope", "containerd", idA},
	{"containerd triple", "/system.slice/containerd.service/kubepods-burstable-pod1.slice:cri-containerd:" + idA, "containerd", idA},
	{"nerdctl", "/system.slice/nerdctl-" + idA + ".scope", "containerd", idA},
	{"kubernetes cgroupfs", "/kubepods/besteffort/pod" + pod + "/" + idA, "kubernetes", idA},
	{"kubernetes guaranteed", "/kubepods/pod" + pod + "/" + idA, "kubernetes", idA},
	{"kubernetes below kubelet", "/kubelet/kubepods/burstable/pod" + pod + "/" + idA, "kubernetes", idA},
	{"cri-o systemd", "/kubepods.slice/kubepods-pod1.slice/crio-" + idA + ".scope", "cri-o", idA},
	{"cri-o with crun", "/kubepods.slice/kubepods-pod1.slice/crio-" + idA + ".scope/container", "cri-o", idA},
	{"cri-o cgroupfs", "/kubepods/pod" + pod + "/crio-" + idA, "cri-o", idA},
	{"cri-o conmon", "/kubepods.slice/kubepods-pod1.slice/crio-conmon-" + idA + ".scope", "", ""},
	{"podman", "/machine.slice/libpod-" + idA + ".scope", "podman", idA},
	{"podman with crun", "/machine.slice/libpod-" + idA + ".scope/container", "podman", idA},
	{"podman rootless", "/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" + idA + ".scope/container", "podman", idA},
	{"podman pod", "/machine.slice/machine-libpod_pod_" + idB + ".slice/libpod-" + idA + ".scope", "podman", idA},
	{"podman cgroupfs", "/libpod_parent/libpod-" + idA, "podman", idA},
	{"podman split", "/system.slice/x.service/libpod-payload-" + idA, "podman", idA},
	{"podman conmon", "/machine.slice/libpod-conmon-" + idA + ".scope", "", ""},
	{"podman conmon cgroupfs", "/libpod_parent/libpod-conmon-" + idA, "", ""},
	{"podman itself", "/user.slice/podman-1234.scope", "", ""},
	{"crun", "/system.slice/crun-" + idA + ".scope", "crun", idA},
	{"parent of one's own", "/tenants/a/" + idA, "unknown", idA},
	{"nspawn service", "/machine.slice/systemd-nspawn@web-1.service/payload/init.scope", "systemd-nspawn", "web-1"},
	{"nspawn supervisor", "/machine.slice/systemd-nspawn@web.service/supervisor", "", ""},
	{"nspawn scope", `/machine.slice/machine-my\x2dbox.scope/payload`, "systemd-nspawn", "my-box"},
	{"nspawn scope supervisor", `/machine.slice/machine-box.scope/supervisor`, "", ""},
	{"machine scope elsewhere", "/user.slice/machine-box.scope", "", ""},
	{"libvirt machine", `/machine.slice/machine-qemu\x2d1\x2ddebian.scope/libvirt/emulator`, "", ""},
	{"libvirt lxc", `/machine.slice/machine-lxc\x2d4711\x2dbox.scope`, "lxc", "box"},
	{"lxc old", "/lxc/web", "lxc", "web"},
	{"lxc with namespace", "/lxc/101/ns/init.scope", "lxc", "101"},
	{"lxc payload", "/lxc.payload.web/system.slice", "lxc", "web"},
	{"lxc payload dir", "/lxc.payload/web", "lxc", "web"},
	{"lxc monitor", "/lxc.monitor.web", "", ""},
	{"lxc monitor dir", "/lxc.monitor/web", "", ""},
	{"lxd project", "/lxc.payload.proj_web", "lxc", "proj_web"},

	{"an inner name cannot pass for another", "/docker/" + idA + "/docker-" + idB + ".scope", "docker", idA},
	{"an inner lxc neither", "/docker/" + idA + "/lxc.payload.host", "docker", idA},
	{"an inner monitor does not hide", "/docker/" + idA + "/libpod-conmon-" + idB + ".scope", "docker", idA},
	{"a conmon's child", "/machine.slice/libpod-conmon-" + idA + ".scope/docker-" + idB + ".scope", "", ""},

	{"root", "/", "", ""},
	{"empty", "", "", ""},
	{"relative", "docker/" + idA, "", ""},
	{"host service", "/system.slice/docker.service", "", ""},
	{"docker socket", "/system.slice/docker.socket", "", ""},
	{"kubelet", "/system.slice/kubelet.service", "", ""},
	{"pod without container", "/kubepods/besteffort/pod" + pod, "", ""},
	{"session", "/user.slice/user-0.slice/session-3.scope", "", ""},
	{"63 digits", "/docker/" + idA[1:], "", ""},
	{"65 digits", "/docker/0" + idA, "", ""},
	{"capitals", "/docker/" + strings.ToUpper(idA), "", ""},
	{"not hexadecimal", "/docker/g" + idA[1:], "", ""},
	{"newline in id", "/docker/\n" + idA[1:], "", ""},
	{"escape in lxc name", "/lxc/\x1b[31mred", "", ""},
	{"escape in machine name", `/machine.slice/machine-\x1b\x5b31m.scope`, "", ""},
	{"slash in machine name", `/machine.slice/machine-..\x2f..\x2fetc.scope`, "", ""},
	{"broken escape", `/machine.slice/machine-a\x2.scope`, "", ""},
	{"dots", "/lxc/../lxc/..", "", ""},
	{"unknown prefix", "/system.slice/evil-" + idA + ".scope", "", ""},
	{"prefix of a prefix", "/system.slice/xdocker-" + idA + ".scope", "", ""},
	{"suffix", "/system.slice/docker-" + idA + ".scope.d", "", ""},
	{"no name", "/lxc.payload./machine.slice/machine-.scope/systemd-nspawn@.service", "", ""},
	{"lxc alone", "/lxc", "", ""},
	{"too long", "/docker/" + idA + "/" + strings.Repeat("x", maxPath), "", ""},
	{"many slashes", strings.Repeat("/", 4000), "", ""},
}

func TestParseCgroup(t *testing.T) {
	for _, tc := range cgroupCases {
		c, ok := ParseCgroup(tc.path)
		if c.Runtime != tc.runtime || c.ID != tc.id || ok != (tc.id != "") {
			t.Errorf("%s: %+v, %v", tc.name, c, ok)
		}
	}
}

func TestContainerLabel(t *testing.T) {
	for c, want := range map[Container]string{
		{idA, "docker"}:                    "docker:4f797c539e6c",
		{"a-name-longer-than-that", "lxc"}: "lxc:a-name-longer-than-that",
	} {
		if got := c.label(); got != want {
			t.Errorf("%+v: %s", c, got)
		}
	}
}
