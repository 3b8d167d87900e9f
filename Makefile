# ipctrace: `make prove` shows it at work, `make test` tests it all.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := build
.NOTPARALLEL:

# A static program, for which no C compiler is needed.
export CGO_ENABLED := 0

# Packages with tests that load programs into the kernel or make namespaces.
ROOT_PACKAGES := ./cmd/ipctrace ./deploy ./internal/ipcmaker ./internal/journal ./internal/snapshot ./internal/sysvipc ./nsresolve ./tracer
SCRIPTS := .ci/gotest .ci/run .ci/setup internal/kernels/fetch.sh internal/kernels/systemd/pack internal/screenshots/report
GOLANGCI_LINT := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0

UID := $(shell id -u)

.PHONY: build prove test test-unit test-root test-kernels bench soak screenshots generate check-generate lint fmt clean help

build: ## bin/ipctrace
	go build -trimpath -o bin/ipctrace ./cmd/ipctrace

prove: build ## the walk-through, on this machine's kernel (with sudo when not root)
ifeq ($(UID),0)
	bin/ipctrace prove
else
	sudo bin/ipctrace prove
endif

test: test-unit $(if $(filter-out 0,$(UID)),test-root) test-kernels ## every test: unit, root, the kernel matrix

test-unit: ## all packages, as the user you are (for root, that is test-root too)
	@-.ci/setup test
	.ci/gotest ./...

test-root: ## the packages that need root, on this machine's kernel (with sudo when not root)
	@-.ci/setup test
	.ci/gotest -as-root $(ROOT_PACKAGES)

test-kernels: ## the tests of the kernel side on the kernels of internal/kernels/matrix.txt, in QEMU
	@-.ci/setup kernels test
	IPCTRACE_KERNELS_TEST=1 go test -v -count=1 -timeout 80m -run '^(TestKernels|TestSystemd)$$' ./internal/kernels

bench: build ## what ipctrace costs, beside its peers: 10 minutes, or one with BENCH=quick; needs root
	go run ./internal/bench

soak: ## ten minutes of changing load on ipctrace serve: memory and goroutines stay flat; needs root
	@-.ci/setup test
	IPCTRACE_SOAK=10m go test -v -count=1 -timeout 30m -run '^TestServeSoak$$' ./cmd/ipctrace

screenshots: build ## the pictures of docs/screenshots, of sessions that really were; needs root
	@-.ci/setup test
	internal/screenshots/report docs/screenshots/report.png

# asm/types.h is where clang does not look when it compiles for BPF.
generate check-generate: export C_INCLUDE_PATH := /usr/include/$(shell uname -m)-linux-gnu

generate: ## the Go bindings and the objects made from bpf/, anew
	.ci/setup generate
	go generate ./...

# In a copy, so that the tree stays as it is.
check-generate: ## fail if generating would change a file
	.ci/setup generate
	@copy=$$(mktemp -d); trap 'rm -rf "$$copy"' EXIT; \
	tar --exclude=./.git --exclude=./bin -cf - . | tar -xf - -C "$$copy"; \
	(cd "$$copy" && rm tracer/*_bpfel.* && go generate ./...); \
	diff -r --exclude=.git --exclude=bin . "$$copy" || \
		{ echo "generated files are not up to date: make generate"; exit 1; }; \
	echo "generated files are up to date"

lint: ## formatting, go vet, golangci-lint, shellcheck
	.ci/setup lint
	@files=$$(gofmt -l .); [ -z "$$files" ] || { echo "not formatted (make fmt):" $$files; exit 1; }
	GOARCH=amd64 go vet ./...
	GOARCH=arm64 go vet ./...
	go run $(GOLANGCI_LINT) run --allow-parallel-runners 2>&1 | sed '/^go: downloading/d'
	shellcheck $(SCRIPTS)
	shellcheck --shell=dash internal/kernels/guest/init internal/kernels/systemd/probe

fmt: ## gofmt
	gofmt -w .

clean: ## remove what was built (the kernels of the matrix stay in their cache)
	rm -rf bin

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-16s %s\n", $$1, $$2 }' Makefile
