# oci-run: `make help` lists the targets.
#
# Two of them are all that a newcomer needs: `make demo` and `make test`.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := all
MAKEFLAGS += --no-builtin-rules
.DELETE_ON_ERROR:

# ---- what is built ---------------------------------------------------------

VERSION := $(shell cat VERSION)
# The commit is the only fact of the build that is not in the sources; those of a release have it in a file.
COMMIT ?= $(shell cat COMMIT 2>/dev/null || git rev-parse --verify --quiet HEAD 2>/dev/null || echo unknown)$(shell \
	test -e COMMIT || test -z "$$(git status --porcelain --untracked-files=no 2>/dev/null)" || echo -dirty)

# No C: cgo costs about a millisecond at each start, and there are two starts in a create.
export CGO_ENABLED := 0
# Where an older Go has fetched the one of go.mod, the tools that call `go` are to find that one.
export PATH := $(addsuffix /bin:,$(shell go env GOROOT 2>/dev/null))$(PATH)

# text/template switches off the linker's pruning of methods (+1 MB); the CLI library has a tag to leave it out.
TAGS := -tags=urfave_cli_no_template
# The go:debug lines of main.go again, and one that can't stand there: the linker switches memory profiling off as nobody asks for a
# profile, but at each start the runtime still records one allocation, with all its callers, before it notices.
GODEBUG_DEFAULT := containermaxprocs=0,updatemaxprocs=0,memprofilerate=0
# fmt.Errorf is written so that it is inlined; at 600 places that is a hundredth of the binary, and errors needn't be quick.
# Nor need the verb configure be, which people call: a sixth of its size.
# Nothing is inlined in what a command passes through at most once either, of the library and of ours: a quarter of a megabyte,
# for no CPU time to be seen. What forks, makes lists of calls and starts init stays as the compiler has it; so do errors, io and
# syscall, whose errors are data as long as errors.New is inlined, and an allocation at each start if it isn't.
COLD := fmt internal/fmtsort flag reflect text/tabwriter time context os/exec strings bytes strconv path/filepath internal/godebug internal/reflectlite internal/filepathlite internal/syscall/unix \
	os internal/poll golang.org/x/sys/unix github.com/urfave/cli/v3 \
	oci-run oci-run/specconv oci-run/hooks oci-run/libcontainer $(addprefix oci-run/internal/,cli configure crash ere excerpt files linux logfile oncejson screen spelling trace) \
	$(addprefix oci-run/libcontainer/internal/,capabilities cgroups/... console criu/... fdsocket foreground idmap lsm namespaces netdev process program rdt \
	rootfs sdnotify seccomp selfexe state syncpipe/... sysctl)
GCFLAGS := $(COLD:%=-gcflags=%=-l)
# The collector of before Go 1.26, which no command lives long enough to need: the newer one writes to the end of each span of memory that
# is begun, a page fault for each size of object (24 in a `run`), and is 45 KB larger. A Go that has no choice any more is left alone.
COLLECTOR := $(shell GOEXPERIMENT=nogreenteagc go version >/dev/null 2>&1 && echo GOEXPERIMENT=nogreenteagc)
# Not PIE (+0.4 ms at each start). No date, no path, no build id: the same sources give the same bytes. Functions begin at multiples
# of 4, not of 32: another fiftieth, and a page fault or two.
ALIGN := -funcalign=4
# The program is entered where oci-run/internal/entry says, on architectures for which it has that.
ENTRY := $(if $(filter amd64 arm64,$(shell go env GOARCH 2>/dev/null)),-E oci-run/internal/entry.entry)
LDFLAGS := -s -w -buildid= $(ALIGN) $(ENTRY) -X main.version=$(VERSION) -X main.commit=$(COMMIT) -X runtime.godebugDefault=$(GODEBUG_DEFAULT)
# For 32-bit ARM what Debian's armhf and Go's own default ask for, whatever machine builds it.
export GOARM := 7
BUILD := $(COLLECTOR) go build -trimpath -buildvcs=false -buildmode=exe $(TAGS) $(GCFLAGS) -ldflags '$(LDFLAGS)'

BIN := bin/oci-run
TOOLS := $(CURDIR)/bin/tools
# The linters, in a directory for this choice of versions.
LINTERS := honnef.co/go/tools/cmd/staticcheck@v0.8.2 \
	github.com/polyfloyd/go-errorlint@v1.8.0 \
	mvdan.cc/unparam@v0.0.0-20260823230713-2fa3d841b0c8 \
	golang.org/x/vuln/cmd/govulncheck@v1.9.0
LINT := $(TOOLS)/lint-$(shell echo '$(LINTERS)' | cksum | cut -d' ' -f1)

# What makes deb and rpm.
NFPM := v2.48.0
DIST ?= bin/dist

PREFIX ?= /usr/local
SBINDIR ?= $(PREFIX)/sbin
MANDIR ?= $(PREFIX)/share/man
COMPLETIONDIR ?= $(PREFIX)/share/bash-completion/completions
ZSHDIR ?= $(PREFIX)/share/zsh/site-functions
FISHDIR ?= $(PREFIX)/share/fish/vendor_completions.d
FUZZTIME ?= 60s
RACES ?= 2000
ENGINES ?= docker podman buildah containerd cri
SESSIONS ?=
# Which sessions of tests/integration `make test-ways` runs; none is all of them, and those of tests/security.
WAYS ?=
# How many system calls `make test-faults` fails: ends (the first and the last of each name), all.
FAULTS ?= ends
REPORT ?=
ONLY ?=
N ?= 100
JOBS ?= 4
# What `make test` runs; .ci/run adds to it.
PARTS := test-packages build test-unit test-integration test-ways test-security lint
MORE_PARTS ?=
CROSS ?= $(or $(IMAGE_ARCHS),amd64 arm64 riscv64 ppc64le s390x loong64 arm 386)

# ---- targets ---------------------------------------------------------------

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# $(call copy-whole,FROM,TO) copies a program in one write. A file lies in the page cache in the pieces in which it was written, the
# linker's in single pages; in large ones, a page fault of its code costs half as much: a tenth of a `run`.
copy-whole = dd if=$(1) of=$(2).new bs=64M status=none && chmod 0755 $(2).new && mv $(2).new $(2)

.PHONY: all
all: build man ## what `make` alone does: all that `make install` copies

.PHONY: build
build: check-go ## build bin/oci-run
	$(BUILD) -o $(BIN).linked .
	$(call copy-whole,$(BIN).linked,$(BIN)) && rm $(BIN).linked

.PHONY: bin/oci-run-crash
bin/oci-run-crash: check-go ## build a binary that kills itself at the step that OCI_RUN_CRASH names, for tests
	$(BUILD) $(TAGS),crashpoints -o $@ .

.PHONY: bin/oci-run-next
bin/oci-run-next: check-go ## build a binary that writes the record's next version, as a later release may, for tests
	$(BUILD) $(TAGS),nextrecord -o $@ .

.PHONY: bin/by-init/oci-run
bin/by-init/oci-run: check-go ## build a binary that creates and enters each container by another start of oci-run, for tests
	$(BUILD) $(TAGS),crashpoints -ldflags '$(LDFLAGS) -X oci-run/internal/crash.way=init' -o $@ .

.PHONY: check-go
check-go:
	@command -v go >/dev/null || { echo 'make: no go command in PATH; oci-run needs Go 1.26 or newer (https://go.dev/dl)' >&2; exit 1; }
	@minor=$$(go env GOVERSION | sed -n 's/^go1\.\([0-9]*\).*/\1/p'); [ "$${minor:-0}" -ge 26 ] || \
		{ echo "make: $$(go env GOVERSION) is too old; oci-run needs Go 1.26 or newer (https://go.dev/dl)" >&2; exit 1; }

.PHONY: demo
demo: build ## build, then walk a real container through its life (root, or rootless as a user)
	go build -trimpath -buildvcs=false -ldflags='-s -w' -o bin/demo ./tests/demo
	bin/demo $(BIN)

.PHONY: test
test: check-go ## everything: unit, integration and security tests, lint; all of it, though a part fails
	@V='$(V)' tests/parts RACES=200 WAYS='exec hooks mistakes mounts program_errors rlimits seccomp users' $(PARTS) $(MORE_PARTS)

.PHONY: test-packages
test-packages: ## install the Debian packages that the tests use (only as root, only what is missing)
	@tests/packages

.PHONY: test-unit
test-unit: build ## Go tests, with the race detector where a C compiler is
	tests/unit $(TAGS) ./...
	go test $(TAGS) -run '^Example' ./libcontainer # static, unlike one with the race detector: it is init as well
	cd tests/oracle && ../unit $(TAGS) ./...
	@if [[ -e /usr/include/seccomp.h ]]; then set -x; tests/unit $(TAGS),libseccomp_oracle -run='^TestOracle' ./libcontainer/internal/seccomp; \
		else echo 'make: no /usr/include/seccomp.h (Debian: libseccomp-dev): seccomp is not held against libseccomp'; fi
	tests/emulated

.PHONY: test-integration
test-integration: build bin/oci-run-crash bin/oci-run-next ## behaviour of the real binary: bats, as root and as an ordinary user
	tests/sessions tests/integration

.PHONY: test-ways
test-ways: build bin/oci-run-crash bin/oci-run-next bin/racer ## all sessions again, as root, where each create and exec is another start of oci-run: WAYS='exec mounts'
	@export OCI_RUN_CREATE=init OCI_RUN_EXEC=init OCI_RUN_RACES=$(RACES) && failed=0 && \
	{ tests/sessions tests/integration $(WAYS:%=tests/integration/%.bats) || failed=1; } && \
	{ test -n '$(WAYS)' || tests/sessions tests/security || failed=1; } && exit $$failed

.PHONY: test-security
test-security: build bin/racer ## one session per known attack; races run RACES rounds (2000, in `make test` 200)
	OCI_RUN_RACES=$(RACES) tests/sessions tests/security

.PHONY: test-engines
test-engines: check-go test-packages build ## sessions under real engines, as root: ENGINES='docker podman buildah containerd cri'
	tests/engines/packages $(ENGINES)
	tests/engines/run $(ENGINES)

.PHONY: test-engines-next
test-engines-next: check-go test-packages build ## the same under Debian's newest engines, in a root of their own, Docker 29, critest and shimtest: ENGINES (kubernetes is one more), ENGINES_DIR, ENGINES_SUITE
	tests/engines/next run $(ENGINES) $(if $(filter file,$(origin ENGINES)),docker29 critest shimtest)

.PHONY: test-engines-core
test-engines-core: check-go test-packages build ## of that, a choice that takes some minutes: what .ci/run runs
	CORE=1 tests/engines/next run docker podman cri critest shimtest

.PHONY: test-faults
test-faults: build ## fail system calls of each verb, kill and stop who makes them, as root (FAULTS=all: each one; ONLY=Faults/v1; REPORT=FILE: tables)
	OCI_RUN_FAULTS=$(FAULTS) OCI_RUN_FAULTS_REPORT=$(REPORT) go test $(TAGS) -count=1 -timeout=12h -v -run '^Test$(ONLY)' ./tests/faults

.PHONY: soak
soak: build ## lead N containers through their lives (100), JOBS at a time (4), with execs beside them, and see what is left, as root
	go build -trimpath -buildvcs=false -ldflags='-s -w' -o bin/soak ./tests/soak
	bin/soak -n $(N) -jobs $(JOBS) $(BIN)

.PHONY: test-tricks
test-tricks: check-go ## build without each trick of docs/performance.md, and see that it is worth it
	OCI_RUN_TRICKS=all go test $(TAGS) -count=1 -timeout=1h -v ./tests/tricks

.PHONY: test-vm
test-vm: build bin/oci-run-crash ## sessions about resources in a QEMU guest with systemd and cgroup v2 alone, as root: SESSIONS='limits update'
	tests/vm/packages
	$(if $(filter-out systemd,$(SESSIONS)),,tests/vm/versions)
	tests/vm/run $(SESSIONS)

.PHONY: bin/racer
bin/racer: check-go
	go build -trimpath -buildvcs=false -ldflags='-s -w' -o $@ ./tests/security/racer

.PHONY: fuzz
fuzz: check-go ## run each fuzz target for FUZZTIME (60s)
	tests/fuzz $(FUZZTIME) $(TAGS)

.PHONY: lint
lint: check-go $(LINT) ## gofmt, vet, modernizers, staticcheck, errorlint, unparam, shellcheck, govulncheck
	tests/lint $(LINT) $(TAGS)

$(LINT):
	rm -rf $@.new
	for linter in $(LINTERS); do GOBIN=$@.new go install $$linter; done
	mv $@.new $@

.PHONY: bench
bench: build ## time oci-run against runc and crun where installed, with a report in bin/bench.html (BENCH='-n 100 -s run,state')
	go build -trimpath -buildvcs=false -o bin/bench ./bench
	bin/bench -report bin/bench.html $(BENCH) $(BIN)

.PHONY: cross
cross: check-go ## build for every architecture in CROSS, into bin/cross
	for arch in $(CROSS); do GOARCH=$$arch $(MAKE) --no-print-directory bin/cross/oci-run.$$arch; done
	cd bin/cross && sha256sum oci-run.* | tee SHA256SUMS

bin/cross/oci-run.%: check-go # in a make of its own, for flags that depend on GOARCH
	$(BUILD) -o $@ .

.PHONY: dist
dist: man cross ## make a release in DIST (bin/dist): tarballs, deb, rpm, sources with modules, checksums; the same bytes for the same commit
	CROSS='$(CROSS)' NFPM=$(NFPM) packaging/dist $(DIST)

.PHONY: test-dist
test-dist: check-go ## make a release twice and compare; install, use and remove the packages in clean Debian roots, as root
	CROSS='$(CROSS)' NFPM=$(NFPM) tests/dist

.PHONY: man
man: build ## write the manual pages into bin/man
	go run ./man $(BIN) bin/man

.PHONY: site
site: man ## make the documents and manual pages a static site in bin/site (Node.js; npm fetches the generator once)
	site/build bin/man bin/site

# IMAGE_ARCHS='amd64 arm64' makes an index of several, from what `make cross` builds.
IMAGE_ARCHS ?=

.PHONY: image
image: build $(if $(IMAGE_ARCHS),cross) ## write bin/oci-run.oci.tar: an OCI archive of an image that is oci-run alone (IMAGE_ARCHS='amd64 arm64')
	go run ./contrib/image bin/oci-run.oci.tar $(VERSION) $(if $(IMAGE_ARCHS),$(addprefix bin/cross/oci-run.,$(IMAGE_ARCHS)),$(BIN))

.PHONY: sbom
sbom: build ## write bin/oci-run.spdx.json: what the binary is made of, from what the binary itself says (SPDX 2.3)
	go run ./contrib/sbom $(BIN) $(VERSION) NOTICE >bin/oci-run.spdx.json

# It needs no Go, and writes nothing to the tree: it is often root's, in a tree that is somebody else's.
.PHONY: install
install: ## install what `make` has built: the binary, man pages and completion for bash, zsh and fish (PREFIX, DESTDIR)
	@for file in $(BIN) bin/man/oci-run.8; do \
		[[ -e $$file ]] || { echo "make: $$file is not built yet; run 'make' first, as the user who owns the sources" >&2; exit 1; }; done
	install -d -m 0755 $(DESTDIR)$(SBINDIR)
	$(call copy-whole,$(BIN),$(DESTDIR)$(SBINDIR)/oci-run)
	install -d -m 0755 $(DESTDIR)$(MANDIR)/man8
	install -m 0644 bin/man/*.8 $(DESTDIR)$(MANDIR)/man8
	install -D -m 0644 contrib/completions/oci-run.bash $(DESTDIR)$(COMPLETIONDIR)/oci-run
	install -D -m 0644 contrib/completions/_oci-run $(DESTDIR)$(ZSHDIR)/_oci-run
	install -D -m 0644 contrib/completions/oci-run.fish $(DESTDIR)$(FISHDIR)/oci-run.fish

.PHONY: uninstall
uninstall: ## remove what `make install` has installed (the same PREFIX, DESTDIR)
	rm -f $(DESTDIR)$(SBINDIR)/oci-run $(DESTDIR)$(MANDIR)/man8/oci-run.8 $(DESTDIR)$(MANDIR)/man8/oci-run-*.8 \
		$(DESTDIR)$(COMPLETIONDIR)/oci-run $(DESTDIR)$(ZSHDIR)/_oci-run $(DESTDIR)$(FISHDIR)/oci-run.fish

.PHONY: clean
clean: ## remove what was built
	rm -rf bin
