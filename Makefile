# Everything the project needs beyond Go, Node, npm and make is installed from here.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

VERSION  := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
LINT     := .tools/golangci-lint
LINT_VERSION := v2.15.0
BIN      := bin/fiducial
TEMPL    := go tool templ
# Front-end sources: a change in any of them builds the front end again.
FRONTEND := $(shell find assets/src assets/css assets/build -type f 2>/dev/null) assets/icons.txt package-lock.json
DIST     := assets/dist/manifest.json

## run: install what is missing, build, and serve on http://127.0.0.1:8080 with the demo project
.PHONY: run
run: tools postgres build
	$(BIN) serve --demo

## build: make bin/fiducial
.PHONY: build
build: tools $(DIST)
	go build -ldflags "-X main.version=$(VERSION)" -o $(BIN) ./cmd/fiducial

## test: every test, on real Postgres, the real object store and a real browser
.PHONY: test
test: postgres browser python build
	npm test --silent
	go test -timeout 18m ./...

## check: format, vet, lint, TypeScript, generated files current
.PHONY: check
check: $(DIST) $(LINT)
	npm run check --silent
	$(LINT) fmt --diff
	go vet ./...
	$(LINT) run
	$(MAKE) --no-print-directory generated

## bench: one table of every timing that the README speaks of
.PHONY: bench
bench: postgres browser build
	go test -p 1 -timeout 60m -short -run '^$$' -benchtime 1x -bench '^Benchmark(Erase|Claim|Submit|Publish|PairPage|ImportCOCO|ImportFormats|ReadCOCO|Version|Workbench|NextImage|ReviewPage|Agreement|Alpha|WER|Detection|Cell|Peaks|FirstSound|Calendar|Select|Matrix|Evaluation)$$' \
	  ./store ./jobs ./handlers ./internal/formats ./internal/agreement ./internal/speech ./internal/metrics ./internal/scoring ./internal/audio ./e2e | go run ./e2e/benchtable

# What a running server is made of.
SOURCES := assets/src assets/css assets/build assets/icons.txt cmd handlers internal jobs migrations store web

## dev: serve the demo, and build and start again whenever a source changes
.PHONY: dev
dev: postgres node_modules
	@mkdir -p bin; server=; trap 'kill $$server 2>/dev/null; wait' EXIT; trap 'exit 0' INT TERM; \
	while true; do \
	  touch bin/.built; \
	  if $(MAKE) --no-print-directory generate build; then \
	    [ -z "$$server" ] || { kill $$server 2>/dev/null; wait $$server || true; }; \
	    $(BIN) serve --demo & server=$$!; \
	  fi; \
	  until [ -n "$$(find $(SOURCES) -type f ! -name '*_templ.go' ! -name '*_test.go' -newer bin/.built -print -quit)" ]; do sleep 0.5; done; \
	done

## generate: make the templ components' Go files
.PHONY: generate
generate:
	$(TEMPL) generate -path web

# Fails when a committed generated file is not what its source generates.
.PHONY: generated
generated: generate
	@git diff --exit-code --stat -- '*_templ.go' || { echo 'Run "make generate" and commit the result.' >&2; exit 1; }

$(DIST): $(FRONTEND) | node_modules
	go run ./assets/build

node_modules: package-lock.json
	npm ci --no-audit --no-fund --silent
	@touch node_modules

$(LINT):
	GOBIN=$(CURDIR)/.tools go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(LINT_VERSION)

# Where the server looks for Postgres' programs too.
PG_FOLDERS := /usr/lib/postgresql/*/bin /usr/pgsql-*/bin /opt/homebrew/opt/postgresql@*/bin /usr/local/opt/postgresql@*/bin /usr/local/pgsql/bin

# Postgres' programs, without the cluster that Debian would make and start by itself.
.PHONY: postgres
postgres:
	@[ -z "$${DATABASE_URL:-}" ] || exit 0; \
	for dir in $(PG_FOLDERS); do [ ! -x $$dir/initdb ] || exit 0; done; \
	command -v initdb >/dev/null || $(MAKE) --no-print-directory install-postgres

.PHONY: install-postgres
install-postgres: MISSING := PostgreSQL 15 or newer (initdb and postgres)|postgresql|postgresql-server|brew install postgresql@17
install-postgres: can-install
	install -d /etc/postgresql-common/createcluster.d
	echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.d/fiducial.conf
	apt-get update -qq
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends postgresql >/dev/null

.PHONY: browser
browser:
	@[ -n "$${E2E_CHROMIUM:-}" ] || command -v chromium >/dev/null || $(MAKE) --no-print-directory install-browser

.PHONY: install-browser
install-browser: MISSING := Chromium, for the tests|chromium|chromium|any Chromium, named by E2E_CHROMIUM
install-browser: can-install
	apt-get update -qq
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null

# The client for Python is tested with it.
.PHONY: python
python:
	@command -v python3 >/dev/null || $(MAKE) --no-print-directory install-python

.PHONY: install-python
install-python: MISSING := Python 3, for the tests|python3|python3|brew install python3
install-python: can-install
	apt-get update -qq
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends python3 >/dev/null

# The demo's calls, anew, in five minutes. They are kept with the program, so that only who changes what is said in them needs the synthesizer.
.PHONY: calls
calls: calls-tools
	go run ./cmd/calls cmd/fiducial/calls

.PHONY: calls-tools
calls-tools:
	@command -v espeak-ng >/dev/null || $(MAKE) --no-print-directory install-espeak

.PHONY: install-espeak
install-espeak: MISSING := espeak-ng, to speak the calls of the demo|espeak-ng|espeak-ng|brew install espeak-ng
install-espeak: can-install
	apt-get update -qq
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends espeak-ng >/dev/null

# MISSING is what has to be installed, then its package on Debian, on Fedora, and what to do on macOS.
.PHONY: can-install
can-install:
	@command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ] || { \
	  IFS='|' read -r what debian fedora macos <<<"$(MISSING)"; \
	  echo "Missing: $$what."; \
	  echo "  Debian, Ubuntu: sudo apt-get install $$debian"; \
	  echo "  Fedora:         sudo dnf install $$fedora"; \
	  echo "  macOS:          $$macos"; \
	  [ "$$debian" != postgresql ] || echo 'Or set DATABASE_URL to a database of your own; then no Postgres is needed here.'; \
	  exit 1; } >&2

# What has to be there before anything can be built; nothing of it is installed from here.
.PHONY: tools
tools:
	@missing=; \
	command -v go >/dev/null || missing+="Missing: Go $(shell sed -n 's/^go //p' go.mod) or newer: https://go.dev/dl/"$$'\n'; \
	command -v node >/dev/null && command -v npm >/dev/null && node -e 'process.exit(+(process.versions.node.split(".")[0] < 20))' || \
	  missing+="Missing: Node 20 or newer with npm: https://nodejs.org/en/download"$$'\n'; \
	[ -z "$$missing" ] || { printf '%s' "$$missing" >&2; exit 1; }

## clean: remove what was built, never any data
.PHONY: clean
clean:
	rm -rf bin node_modules .tools
	find assets/dist -mindepth 1 ! -name .gitkeep -delete

## help: this list
.PHONY: help
help:
	@sed -n 's/^## //p' $(MAKEFILE_LIST)
