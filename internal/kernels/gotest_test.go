package kernels

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseTests(t *testing.T) {
	const output = `=== RUN   TestKernelA
=== RUN   TestKernelA/x
    a_test.go:3: x32 is
        n/a here
=== RUN   TestKernelA/y
=== NAME  TestKernelA
    a_test.go:5: of A itself
--- PASS: TestKernelA (0.01s)
    --- SKIP: TestKernelA/x (0.00s)
    --- PASS: TestKernelA/y (0.00s)
=== RUN   TestKernelB
    b_test.go:9: no /sys/n/a/b
--- SKIP: TestKernelB (0.00s)
=== RUN   TestKernelC
=== RUN   TestKernelC/x
    c_test.go:7: not this
--- FAIL: TestKernelC (0.00s)
    --- FAIL: TestKernelC/x (0.00s)
FAIL
`
	want := TestOutput{
		TopLevel: []string{"--- PASS: TestKernelA (0.01s)", "--- FAIL: TestKernelC (0.00s)", "FAIL"},
		Skips: []Skip{
			{"TestKernelA/x", "a_test.go:3: x32 is n/a here"},
			{"TestKernelB", "b_test.go:9: no /sys/n/a/b"},
		},
		Failures: []Failure{{Name: "TestKernelC"}, {Name: "TestKernelC/x", Log: []string{"c_test.go:7: not this"}}},
	}
	got := ParseTests(output)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if !got.Skips[0].NotApplicable() || got.Skips[1].NotApplicable() {
		t.Error("want the first skip n/a and the second not")
	}
}

func TestParseTestsNone(t *testing.T) {
	if got := ParseTests("testing: warning: no tests to run\nPASS\n"); !got.NoTests {
		t.Errorf("%+v: want NoTests", got)
	}
}
