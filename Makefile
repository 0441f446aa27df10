# Nudge. Every target is one raw command, given in the comment above it. Only Go is needed; what is missing is fetched as Go modules.
# `make e2e` needs Node and Chromium too, `make peers` Java and Maven.

TOOL := go tool -modfile=internal/tools/go.mod
RACE := ./engine/... ./state/... ./deliver/... ./ingest/...
FUZZTIME ?= 30s
SEED ?= 1
SEEDS ?= 1000
DURATION ?= 1h

.PHONY: run build test race check bench peers e2e fuzz sim chaos chaos-hour fmt

# go build -o bin/nudge ./cmd/nudge && bin/nudge serve --demo --data data
run: build
	bin/nudge serve --demo --data data

# go build -o bin/nudge ./cmd/nudge
build:
	go build -o bin/nudge ./cmd/nudge

# go test -timeout 20m ./...   (a bound for what hangs; a busy machine takes its time)
test:
	go test -timeout 20m ./...

# go test -race -timeout 20m ./engine/... ./state/... ./deliver/... ./ingest/...
race:
	go test -race -timeout 20m $(RACE)

# gofumpt -l . && go vet ./... && staticcheck ./... && go test -timeout 20m ./...   (internal/lint, the house rules, is one of the tests)
check:
	@out=$$($(TOOL) gofumpt -l .); if [ -n "$$out" ]; then echo "not gofumpt'd; make fmt:"; echo "$$out"; exit 1; fi
	go vet ./...
	$(TOOL) staticcheck ./...
	go test -timeout 20m ./...

# go test -run '^$$' -bench . -benchmem ./...   (compare two runs with: go tool -modfile=internal/tools/go.mod benchstat old.txt new.txt)
bench:
	go test -run '^$$' -bench . -benchmem ./...

# bench/peers/build.sh   (other engines, for bin/nudge bench --level peers and peers-http; what this machine cannot build is left out)
peers:
	bench/peers/build.sh

# examples/e2e/run.sh
e2e: build
	examples/e2e/run.sh

# go test -run '^$$' -fuzz '^FuzzNAME$$' -fuzztime 30s ./PACKAGE   (for every fuzz test there is; FUZZTIME=5m for longer)
fuzz:
	@set -e; grep -ro --include='*_test.go' '^func Fuzz[A-Za-z0-9_]*' . | sort | while IFS=: read -r file func; do \
		name=$${func#func }; dir=$$(dirname $$file); echo "fuzz $$dir $$name"; \
		go test -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME) $$dir; \
	done

# GODEBUG=asyncpreemptoff=1 go test ./internal/sim -run '^TestSim$$' -count 1 -timeout 0 -v -seed 1 -seeds 1000   (some 30 a second)
sim:
	GODEBUG=asyncpreemptoff=1 go test ./internal/sim -run '^TestSim$$' -count 1 -timeout 0 -v -seed $(SEED) -seeds $(SEEDS)

# go build -tags skewed -o bin/nudge-skewed ./cmd/nudge && go run ./internal/chaos -bin bin/nudge -skewed bin/nudge-skewed   (as root: disks too; CHAOS="-only EXPRESSION": some faults)
chaos: build
	go build -tags skewed -o bin/nudge-skewed ./cmd/nudge
	go run ./internal/chaos -bin bin/nudge -skewed bin/nudge-skewed $(CHAOS)

# go run ./internal/chaos -bin bin/nudge -for 1h   (load, and kill -9 every minute; DURATION=10m for less)
chaos-hour: build
	go run ./internal/chaos -bin bin/nudge -for $(DURATION)

# gofumpt -w .
fmt:
	$(TOOL) gofumpt -w .
