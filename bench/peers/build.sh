#!/usr/bin/env bash
# Builds the engines that Nudge is measured beside, those that this machine can build. Why one cannot be built is kept beside it, and
# `nudge bench --level peers` and `--level peers-http` say so. Works from any folder.
set -uo pipefail
cd "$(dirname "$0")"

# with_maven PEER builds one in Java and sets why where that fails.
with_maven() {
	if ! command -v java >/dev/null; then
		why="there is no java on this machine"
	elif ! command -v mvn >/dev/null; then
		why="there is no mvn on this machine"
	elif ! mvn -q -B -ntp -pl "$1" -am package >"$1/target/mvn.log" 2>&1; then
		why="mvn failed, its words are in bench/peers/$1/target/mvn.log"
	fi
}

# with_go PEER PROGRAM FLAG… builds a release written in Go, in its own folder and so with its own go.mod and go.sum, which is how its authors build
# it; the module in PEER pins it. Its settings come along.
with_go() {
	local peer=$1 program=$2 to=$PWD/$1/target module from
	shift 2
	module=$(sed -n 's/^require \([^ ]*\) .*/\1/p' "$peer/go.mod")
	if ! command -v go >/dev/null; then
		why="there is no go on this machine"
	elif ! { go -C "$peer" mod download "$module" && from=$(go -C "$peer" list -m -f '{{.Dir}}' "$module") &&
		GOWORK=off CGO_ENABLED=0 go -C "$from" build -mod=readonly -trimpath "$@" -o "$to/$program" "./cmd/$program"; } >"$to/go.log" 2>&1; then
		why="go failed, its words are in bench/peers/$peer/target/go.log"
	else
		rm -rf "$to/etc"
		cp -r "$from/etc" "$to/etc"
		chmod -R u+w "$to/etc"
	fi
}

# build PEER HOW… builds one and keeps why where that fails.
build() {
	local peer=$1
	why=
	mkdir -p "$peer/target"
	"${@:2}"
	if [ -n "$why" ]; then
		echo "$why" >"$peer/target/left-out"
		echo "$peer: left out: $why"
	else
		rm -f "$peer/target/left-out"
		echo "$peer: built"
	fi
}

build esper with_maven esper
build flink with_maven flink
build ekuiper with_go ekuiper kuiperd -tags core -ldflags "-s -w -X github.com/lf-edge/ekuiper/v2/cmd.LoadFileType=relative"
