# ipctrace: `make prove` shows it at work, `make test` tests it all.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := build
.NOTPARALLEL:

# A static program, for which no C compiler is needed.
export CGO_ENABLED := 0

# Packages with tests that load programs into the kernel or make namespaces.
ROOT_PACKAGES := ./cmd/ipctrace ./deploy ./internal/ipcmaker ./internal/journal ./internal/packaging ./internal/snapshot ./internal/sysvipc ./nsresolve ./tracer
SCRIPTS := .ci/gotest .ci/mirror .ci/run .ci/setup internal/kernels/fetch.sh internal/kernels/systemd/pack \
	internal/packaging/cleanroot internal/packaging/deb internal/packaging/dist internal/packaging/licences internal/packaging/version \
	internal/screenshots/live internal/screenshots/report internal/screenshots/shoot
GOLANGCI_LINT := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0

UID := $(shell id -u)

DOCS = README.md $(wildcard docs/*.md docs/*.json docs/*.svg docs/screenshots/*.png)
EXAMPLES = $(filter-out %_test.go %.service,$(shell find deploy -type f))
LDFLAGS = $(if $(VERSION),-X main.release=$(VERSION))

# What a release calls itself; without, go build asks git, if it can.
VERSION ?=

# Where make install puts things, below DESTDIR. A package for Debian says PREFIX=/usr
# and ZSHDIR=/usr/share/zsh/vendor-completions.
PREFIX ?= /usr/local
DESTDIR ?=
BINDIR ?= $(PREFIX)/bin
MANDIR ?= $(PREFIX)/share/man
DOCDIR ?= $(PREFIX)/share/doc/ipctrace
BASHDIR ?= $(PREFIX)/share/bash-completion/completions
ZSHDIR ?= $(PREFIX)/share/zsh/site-functions
FISHDIR ?= $(PREFIX)/share/fish/vendor_completions.d
UNITDIR ?= $(PREFIX)/lib/systemd/system

SUMS = @cd dist && LC_ALL=C sha256sum ipctrace* >SHA256SUMS && cat SHA256SUMS

.PHONY: build install uninstall dist deb manual prove test test-unit test-root test-kernels test-packages bench soak screenshots generate check-generate lint fmt clean help

build: bin/completions ## bin/ipctrace
	go build -trimpath -ldflags '$(LDFLAGS)' -o bin/ipctrace ./cmd/ipctrace

# The scripts are the same for all machines, and made by a program that runs on this one.
bin/completions:
	@mkdir -p $@.new
	for shell in bash zsh fish; do \
		GOOS= GOARCH= go run -trimpath -ldflags '$(LDFLAGS)' ./cmd/ipctrace completion $$shell >$@.new/$$shell; \
	done
	@mv $@.new $@

# Builds only what is not there: root may have no Go.
install: $(if $(wildcard bin/ipctrace),,build) bin/completions ## the program, its manual, completions and unit: into PREFIX (/usr/local), below DESTDIR
	install -D -m 755 bin/ipctrace $(DESTDIR)$(BINDIR)/ipctrace
	install -D -m 644 -t $(DESTDIR)$(MANDIR)/man8 docs/man/*.8
	install -D -m 644 bin/completions/bash $(DESTDIR)$(BASHDIR)/ipctrace
	install -D -m 644 bin/completions/zsh $(DESTDIR)$(ZSHDIR)/_ipctrace
	install -D -m 644 bin/completions/fish $(DESTDIR)$(FISHDIR)/ipctrace.fish
	for file in $(DOCS) $(EXAMPLES); do install -D -m 644 $$file $(DESTDIR)$(DOCDIR)/$$file; done
	install -d $(DESTDIR)$(UNITDIR)
	sed 's|/usr/local/bin/ipctrace|$(BINDIR)/ipctrace|' deploy/ipctrace.service >$(DESTDIR)$(UNITDIR)/ipctrace.service
	chmod 644 $(DESTDIR)$(UNITDIR)/ipctrace.service

uninstall: ## remove what install put there
	rm -f $(DESTDIR)$(BINDIR)/ipctrace $(patsubst docs/man/%,$(DESTDIR)$(MANDIR)/man8/%,$(wildcard docs/man/*.8))
	rm -f $(DESTDIR)$(BASHDIR)/ipctrace $(DESTDIR)$(ZSHDIR)/_ipctrace $(DESTDIR)$(FISHDIR)/ipctrace.fish
	rm -f $(DESTDIR)$(UNITDIR)/ipctrace.service $(addprefix $(DESTDIR)$(DOCDIR)/,$(DOCS) $(EXAMPLES))
	[ ! -d $(DESTDIR)$(DOCDIR) ] || find $(DESTDIR)$(DOCDIR) -depth -type d -empty -delete

dist: ## dist/: tarballs of the sources and for amd64 and arm64, SBOMs, checksums; the same bytes each time
	@.ci/setup package
	internal/packaging/dist
	$(SUMS)

deb: dist ## and Debian packages of them
	internal/packaging/deb dist/ipctrace-*-linux-*.tar.gz
	$(SUMS)

manual: ## docs/man and what --help is tested against, anew
	go test -count=1 -run '^(TestManual|TestHelp)$$' ./cmd/ipctrace -update

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

test-packages: ## of the above the packages: made twice, installed in a clean Debian, upgraded, purged; needs root
	@-.ci/setup test
	.ci/gotest -as-root ./internal/packaging

bench: build ## what ipctrace costs, beside its peers: 10 minutes, or one with BENCH=quick; needs root
	go run ./internal/bench

soak: ## ten minutes of changing load on ipctrace serve: memory and goroutines stay flat; needs root
	@-.ci/setup test
	IPCTRACE_SOAK=10m go test -v -count=1 -timeout 30m -run '^TestServeSoak$$' ./cmd/ipctrace

screenshots: build ## the pictures of docs/screenshots, of sessions that really were; needs root
	.ci/setup test screenshots
	internal/screenshots/live docs/screenshots/live.png
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
	shellcheck -x $(SCRIPTS)
	shellcheck --shell=dash internal/kernels/guest/init internal/kernels/systemd/probe internal/packaging/debian/{postinst,prerm,postrm}

fmt: ## gofmt
	gofmt -w .

clean: ## remove what was built (the kernels of the matrix stay in their cache)
	rm -rf bin dist

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-16s %s\n", $$1, $$2 }' Makefile
