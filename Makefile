# cloud-mirror. `make help` lists the targets.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

# deploy/local, the whole system on one machine, is a separate module: the product's go.mod stays small.
LOCAL := .cache/bin/local
CHART := deploy/charts/cloud-mirror
TOOLS := $(CURDIR)/deploy/tools/go.mod
MODULES := . deploy/local deploy/bench deploy/release deploy/infra deploy/charts deploy/dashboards
REDOCLY := @redocly/cli@2.55.0
NPM_CLIENTS := pnpm@10.34.9 playwright-core@1.56.1

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-16s %s\n", $$1, $$2}'

.PHONY: $(LOCAL)
$(LOCAL): # Go's build cache makes this cheap
	@cd deploy/local && go build -o ../../$(LOCAL) .

.PHONY: run
run: $(LOCAL) ## Run the whole system on this machine until Ctrl-C
	@exec $(LOCAL) run

.PHONY: temporal
temporal: $(LOCAL) ## Run the temporal CLI against it: make temporal ARGS="workflow list"
	@exec $(LOCAL) temporal -- $(ARGS)

.PHONY: cluster
cluster: cluster-servers $(LOCAL) ## Run Temporal's services on PostgreSQL until Ctrl-C, for make run and make bench
	@exec $(LOCAL) cluster

.PHONY: chart
chart: $(LOCAL) ## Lint the Helm chart, and render it with each file of deploy/charts/examples
	@for values in deploy/charts/examples/*.yaml; do \
		$(LOCAL) helm -- lint --strict --quiet $(CHART) -f $$values 2> >(grep -v 'symbolic link' >&2); \
		objects=$$($(LOCAL) helm -- template cloud-mirror $(CHART) -f $$values 2> >(grep -v 'symbolic link' >&2)); \
		echo "$$values: $$(grep -c '^kind:' <<<"$$objects") objects"; done

.PHONY: clean
clean: $(LOCAL) ## Remove the state of make run
	@$(LOCAL) clean

.PHONY: build
build: ## Build the product to .cache/bin/cloud-mirror
	@go build -ldflags "-X main.version=$$(git describe --tags --always --dirty 2>/dev/null || echo unknown)" -o .cache/bin/cloud-mirror .

.PHONY: replay
replay: build ## Replay the histories of a Temporal namespace with this build: make replay ARGS="-h"
	@.cache/bin/cloud-mirror replay $(ARGS)

# The toolchain of go.mod also compresses the image, so that all machines make the same bytes.
RELEASE := .cache/bin/release
.PHONY: $(RELEASE)
$(RELEASE):
	@toolchain=$$(sed -n 's/^toolchain //p' go.mod); cd deploy/release && GOTOOLCHAIN=$$toolchain go build -o ../../$(RELEASE) .

.PHONY: image
image: $(RELEASE) ## Build the container image to .cache/image, without a container engine
	@$(RELEASE) image

.PHONY: push-image
push-image: $(RELEASE) ## Build the image and push it: make push-image REPO=registry.example.com/cloud-mirror
	@$(RELEASE) push --repo=$(REPO)

.PHONY: release
release: $(RELEASE) ## Build archives, image, chart and checksums to .cache/release
	@$(RELEASE) release

# A package whose tests read CM_TEST_* needs servers, and so does one that uses deploy/local/stack or starts a redis. One
# that uses deploy/local/tools builds programs. deploy/infra needs systemd.
SERVERS := CM_TEST_|deploy/local/(stack|tools)"|cachetest\.Start|"systemd-analyze",

.PHONY: unit
unit: ## Run the tests of all packages that need no server, in seconds (the inner loop)
	@for m in $(MODULES); do (cd $$m && go list -f '{{if or .TestGoFiles .XTestGoFiles}}{{.Dir}}{{end}}' ./... | \
		while read -r dir; do grep -qsE '$(SERVERS)' "$$dir"/*_test.go || echo "$$dir"; done | xargs -r go test); done

.PHONY: test
test: redis chromium clients systemd $(LOCAL) ## Run every test, unit and integration, against real servers, with -race
	@$(LOCAL) exec -- go test -race -p 4 -timeout 20m ./...
	@cd deploy/local && go test -race -timeout 20m $$(go list ./... | grep -v /e2e)
	@$(MAKE) --no-print-directory e2e
	@cd deploy/bench && go test -race -timeout 20m ./...
	@cd deploy/release && go test -race -timeout 20m ./...
	@cd deploy/infra && go test -race -timeout 5m ./...
	@cd deploy/charts && go test -race -timeout 20m ./...
	@cd deploy/dashboards && go test -race -timeout 20m ./...
	@$(MAKE) --no-print-directory chaos

.PHONY: e2e
e2e: redis chromium clients ## Run the end-to-end tests against the whole system
	@cd deploy/local && go test -race -timeout 60m ./e2e

.PHONY: chaos
chaos: redis ## Inject faults among many clients, and audit the system: make chaos SEED=7 FOR=10m
	@cd deploy/local && go build -o ../../.cache/bin/chaos ./chaos
	@.cache/bin/chaos -for $(or $(FOR),2m) $(if $(SEED),-seed $(SEED))

.PHONY: screenshots
screenshots: redis chromium clients ## Take the pictures of the operators' page, in deploy/pictures
	@cd deploy/local && CM_TEST_PICTURES=$(CURDIR)/deploy/pictures go test -count=1 -timeout 20m ./e2e -run 'TestPictures|TestDashboard'

.PHONY: dashboard
dashboard: ## Write deploy/dashboards/cloud-mirror.json
	@cd deploy/dashboards && go run .

.PHONY: record-histories
record-histories: redis $(LOCAL) ## Record a history of each shape of a workflow: make record-histories VERSION=2006-01-02-word
	@[[ "$(VERSION)" =~ ^20[0-9]{2}-[0-9]{2}-[0-9]{2}(-[a-z-]+)?$$ ]] || { echo "VERSION must be a date and, if its folder exists, a word: VERSION=2006-01-02-word" >&2; exit 1; }
	@test ! -e workflows/testdata/$(VERSION) || { echo "workflows/testdata/$(VERSION) exists: recorded histories are never overwritten" >&2; exit 1; }
	@cd deploy/local && CM_TEST_RECORD=$(CURDIR)/workflows/testdata/$(VERSION) go test -count=1 -timeout 20m ./e2e -run TestHistoryShapes

# -v prints the table of figures. A run without a test fails.
.PHONY: test-cluster
test-cluster: redis cluster-servers ## Test on PostgreSQL, Temporal's services and nginx: make test-cluster ARGS="-run Figures"
	@cd deploy/local && go test -v -count=1 -timeout 30m ./cluster/e2e $(ARGS)

# The fuzz targets are found by their name. Each processor runs a target, while the next test binary is
# built. An interrupt ends a target: -fuzztime sometimes fails a sound one (golang/go#75804).
.PHONY: fuzz
fuzz: ## Run every fuzz target for 10 s each: make fuzz FOR=10m
	@found=$$(mktemp -d); trap 'rm -rf "$$found"' EXIT; \
	for dir in $$(git grep -l '^func Fuzz' -- '*_test.go' | xargs -n1 dirname | sort -u); do \
		test="$$found/$${dir//\//-}"; \
		go test -c -fuzz=. -o "$$test" "./$$dir" >&2; \
		(cd "$$dir" && "$$test" -test.list '^Fuzz') | sed "s|^|$$dir $$test |"; \
	done | xargs -P "$$(nproc)" -L 1 bash -c 'cd "$$0" && log="$$1-$$2.log"; \
		if timeout --preserve-status -s INT -k 1m $(or $(FOR),10s) "$$1" -test.run "^\$$" -test.fuzz "^$$2\$$" \
			-test.parallel 1 -test.fuzzminimizetime 1s -test.fuzzcachedir "$$1-cache" >"$$log" 2>&1 && grep -q "execs: [1-9]" "$$log"; \
		then echo "$$0 $$2: $$(grep execs: "$$log" | tail -1)"; \
		else cat "$$log"; echo "FAIL $$0 $$2"; exit 1; fi'

.PHONY: mutants
mutants: redis $(LOCAL) ## Check that tests catch faults of the product: make mutants ARGS="-only lease"
	@$(LOCAL) exec -- go run ./deploy/mutants $(ARGS)

.PHONY: bench
bench: redis ## Measure first and next requests on the local stack: make bench ARGS="-h"
	@cd deploy/bench && go build -o ../../.cache/bin/bench-requests ./requests
	@.cache/bin/bench-requests $(ARGS)

.PHONY: bench-copy
bench-copy: redis $(LOCAL) ## Measure copies against rclone and the limit
	@cd deploy/bench && go build -o ../../.cache/bin/bench-copies ./copies
	@free=$$(df -k --output=avail /dev/shm 2>/dev/null | tail -n 1); \
	if ((free > 12000000)); then export TMPDIR=/dev/shm; fi; `# otherwise it measures the disk of the S3 server` \
	$(LOCAL) exec -- .cache/bin/bench-copies $(ARGS)

.PHONY: bench-redirect
bench-redirect: redis build ## Measure redirects against a bare router
	@cd deploy/bench && go build -o ../../.cache/bin/bench-redirects ./redirects
	@.cache/bin/bench-redirects $(ARGS)

.PHONY: bench-neighbours
bench-neighbours: redis build ## Measure the load that one client puts on others
	@cd deploy/bench && go build -o ../../.cache/bin/bench-neighbours ./neighbours
	@.cache/bin/bench-neighbours $(ARGS)

.PHONY: bench-scale
bench-scale: redis build ## Measure how costs grow with objects, connections, workflows and backlog
	@cd deploy/bench && go build -o ../../.cache/bin/bench-scale ./scale
	@.cache/bin/bench-scale $(ARGS)

.PHONY: bench-hits
bench-hits: redis build ## Measure hits beside copies, waiting clients, purges and a failing redis
	@cd deploy/bench && go build -o ../../.cache/bin/bench-hits ./hits
	@.cache/bin/bench-hits $(ARGS)

.PHONY: simulate
simulate: ## Simulate a burst of cold objects on many machines: make simulate ARGS="-h"
	@cd deploy/bench && go build -o ../../.cache/bin/simulate ./simulate
	@.cache/bin/simulate $(ARGS)

.PHONY: check
check: check-format vet lint check-tidy workflowcheck api-lint test fuzz ## What CI runs, besides make mutants

.PHONY: format
format: ## Format all Go files
	@gofmt -w $$(git ls-files '*.go')

.PHONY: check-format
check-format: ## List Go files that are not formatted
	@files=$$(gofmt -l $$(git ls-files '*.go')); test -z "$$files" || { echo "gofmt: $$files; run: make format"; exit 1; }

.PHONY: tidy
tidy: ## Tidy the go.mod and go.sum of all modules
	@for m in $(MODULES) deploy/tools; do (cd $$m && go mod tidy); done

.PHONY: check-tidy
check-tidy: ## Show what make tidy would change
	@for m in $(MODULES) deploy/tools; do (cd $$m && go mod tidy -diff); done

.PHONY: vet
vet: ## Run go vet
	@for m in $(MODULES); do (cd $$m && go vet ./...); done

.PHONY: lint
lint: ## Run golangci-lint, which also keeps the rooms apart
	@for m in $(MODULES); do (cd $$m && go tool -modfile=$(TOOLS) golangci-lint run --allow-serial-runners --config $(CURDIR)/.golangci.yml ./...); done

.PHONY: workflowcheck
workflowcheck: ## Check that workflows are deterministic
	@go tool -modfile=$(TOOLS) workflowcheck ./workflows/...

# The skipped rules want a 2XX of a redirect, and a 4XX of ping and of the reference itself.
.PHONY: api-lint
api-lint: ## Lint the API reference, which needs npx
	@if REDOCLY_TELEMETRY=off npx --yes $(REDOCLY) --version >/dev/null 2>&1; then \
		REDOCLY_TELEMETRY=off REDOCLY_SUPPRESS_UPDATE_NOTICE=true npx --yes $(REDOCLY) lint --extends recommended-strict \
			--skip-rule operation-2xx-response --skip-rule operation-4xx-response frontend/openapi.json; \
	else \
		echo "frontend/openapi.json was not linted: npx can't run $(REDOCLY), it needs Node.js 20.19 or newer" >&2; \
		test "$${CI:-}" != true; \
	fi

.PHONY: redis
redis: # Tests need a real redis
	@command -v redis-server >/dev/null || ./deploy/install.sh redis-server

# Debian has these in no PATH of a user; install.sh looks there too.
.PHONY: cluster-servers
cluster-servers:
	@for program in postgres nginx; do ./deploy/install.sh $$program; done

.PHONY: systemd
systemd: # A test has systemd grade the units
	@command -v systemd-analyze >/dev/null || ./deploy/install.sh systemd-analyze

.PHONY: chromium
chromium: # A test needs a real browser, by one of the names in deploy/local/chromium/chromium.go
	@command -v chromium chromium-browser google-chrome >/dev/null || ./deploy/install.sh chromium

.PHONY: clients
clients: # Tests need real clients, and a real Prometheus with its promtool
	@for program in curl wget aria2c rclone pip3 npm prometheus mvn apt-get dpkg-deb; do \
		command -v $$program >/dev/null || ./deploy/install.sh $$program; done
	@for client in $(NPM_CLIENTS); do \
		manifest=.cache/clients/node_modules/$${client%@*}/package.json; \
		[[ -e $$manifest && "$$(<$$manifest)" == *"\"version\": \"$${client##*@}\""* ]] || \
			npm install --prefix .cache/clients --no-save --ignore-scripts --no-audit --no-fund --loglevel=error $(NPM_CLIENTS); done
