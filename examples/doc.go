// Package examples is what a newcomer sees first: the site of an invented product, the rules that watch it, and a history of
// made-up people, all carried by the one binary.
//
//   - site: the pages of Fernway, a planner of delivery rounds that does not exist, and feed.html, the alert feed as a page. Plain
//     files, no assets from elsewhere; File serves them.
//   - rules: six rules that a growth team would write, one file each, with their tests beside them (docs/TESTING.md).
//   - cookbook: rules for every stage from the first click to the renewal, each with its tests. docs/COOKBOOK.md lists them.
//   - history.go: three weeks of visits, seeded, made so that DemoPerson's next visit and one more person of DemoCompany each tip
//     a rule.
//   - e2e: the site, the rules and the server together in a real browser.
//
// It holds no logic of the engine and keeps no invariant of it; it is the engine's guest.
package examples
