// Package sdk holds nudge.js, the script that a site loads to send its visitors' events and to show them popups.
//
// Its source is TypeScript in src, one concept a file: config (the script tag), store (what the browser remembers), transport
// (events out, popups back), page (seen, hidden, left), forms, clicks, stream (server-sent popups), popups (which to show), card (how it
// looks), index (window.nudge). `go generate` bundles it with esbuild into nudge.js, which is committed; a test fails when
// it is stale.
//
// What holds for it:
//
//   - An event keeps its id through every attempt, so a retry is harmless; the queue is bounded (I8).
//   - Time in which a tab is hidden is never dwell: hiding sends page_leave, returning sends page_return and form_view again.
//   - A popup is shown once per browser, and only if it is still wanted when it is painted.
//   - Text from the server is set as text and links are http, https or relative: a popup cannot run a script.
//   - One stream of popups per browser, in a visible tab.
//
// It does not read what people type, does not cross sites, sets no cookie, and does not decide anything: rules run on the server.
//
// The events it sends by itself: page_view, page_leave (props reason: hidden, left, route), page_return, form_view, form_start,
// form_submit, form_leave (props form), click (props target; only elements with data-nudge-click), popup_shown, popup_clicked,
// popup_dismissed (props popup, rule, template); and identify.
package sdk

import _ "embed"

//go:generate go test . -run TestBundleIsFresh -update

// JS is the minified script.
//
//go:embed nudge.js
var JS []byte
