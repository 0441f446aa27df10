//go:build linux

// Command chaos runs the real binary, `nudge serve`, under load and does to it what machines and people do to servers: kills it, stops its clock,
// fills its disk, flips bits in its files. After each fault it wants correct service, or a refusal to start that names the file, the place
// and what to do. It prints one line for each fault and ends by itself, with exit code 1 where a fault was not survived.
//
// The nouns:
//
//   - fault: one thing that is done to servers, and what must be so afterwards. All of them are in the table of main.go.
//   - server: one process of the binary. settings: how it is started.
//   - load: clients that send events with ids, each request again until it is answered 2xx, whatever server there is by then.
//   - tally: what was accepted, and what must have fired for it: each marked event once, with the exact number of events that its visitor had sent
//     before; each stay that nobody ended, once; each company once.
//   - walker: a consumer that goes through the alert feed by cursor while servers come and go.
//   - twin: what an undamaged data folder answers: the feed, and the feed after some more events. A damaged one must answer the same or refuse to start.
//
// Order of operations of a fault under load: start a server and the clients; do harm, with new servers where one has ended; let the clients finish
// what they began; read the feed from its beginning; compare it with the tally and with what the walker saw.
//
// It knows nothing of the engine's code: everything goes through the command line, HTTP and the files. What needs root (a file system of its own)
// is left out without it, and the line says so. It ends only processes that it has started, and removes what it made.
package main
