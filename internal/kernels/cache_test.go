package kernels

import "testing"

func TestCacheDir(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", "/x")
	for env, want := range map[string]string{"": "/x/ipctrace/kernels", "/y/": "/y"} {
		t.Setenv("IPCTRACE_KERNELS", env)
		if got, err := CacheDir(); err != nil || got != want {
			t.Errorf("IPCTRACE_KERNELS=%s: %s, %v, want %s", env, got, err, want)
		}
	}
}
