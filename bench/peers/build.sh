#!/usr/bin/env bash
# Builds the engines that Nudge is measured beside, those that this machine can build. Why one cannot be built is kept beside it, and
# `nudge bench --level peers` says so. Works from any folder.
set -uo pipefail
cd "$(dirname "$0")"

# build PEER builds one and sets why where that fails.
build() {
	why=
	if ! command -v java >/dev/null; then
		why="there is no java on this machine"
	elif ! command -v mvn >/dev/null; then
		why="there is no mvn on this machine"
	elif ! mvn -q -B -ntp -pl "$1" -am package >"$1/target/mvn.log" 2>&1; then
		why="mvn failed, its words are in bench/peers/$1/target/mvn.log"
	fi
}

for peer in esper flink; do
	mkdir -p "$peer/target"
	build "$peer"
	if [ -n "$why" ]; then
		echo "$why" >"$peer/target/left-out"
		echo "$peer: left out: $why"
	else
		rm -f "$peer/target/left-out"
		echo "$peer: built"
	fi
done
