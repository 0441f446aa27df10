package rules

// word is what an editor shows of one word of the language.
type word struct {
	form string // how it is written: e and other letters are event tests, v a field or value, W a duration
	doc  string
}

// A test sees to it that these tables have the words that the language has, and no others.
var operatorWord = map[string]word{
	"count":    {"count(e, W)", "how many events matching e there were within W"},
	"distinct": {"distinct(e, v, W)", "how many different values of v among them; events without v are left out"},
	"days":     {"days(e, W)", "on how many calendar days they fell"},
	"happened": {"happened(e, W)", "there was at least one event matching e within W"},
	"sum":      {"sum(e, v, W)", "all numbers v of the events matching e within W, added up; 0 if there are none"},
	"avg":      {"avg(e, v, W)", "the average of the numbers v of the events matching e within W"},
	"min":      {"min(e, v, W)", "the least of the numbers v of the events matching e within W"},
	"max":      {"max(e, v, W)", "the greatest of the numbers v of the events matching e within W"},
	"last":     {"last(e, v)", "v of the newest event matching e; compared with constants and other lasts only"},
	"since":    {"since(e)", "seconds since the newest event matching e"},
	"values":   {"values(e, v, W)", "the newest different values of v, newest first, up to 20; only in the data of then"},
	"score":    {"score({e1: p1, (e2): p2}, half_life(W))", "points of events, worth half as much after each half-life"},
	"on":       {"on(e)", "now: an event matching e"},
	"first":    {"first(e, W)", "now: an event matching e, the first one after at least W without any"},
	"sequence": {"sequence(a, b, …, W)", "now: the last step, all steps having happened in order within W; no(c) between two forbids c"},
	"absent":   {"absent(e, W, after(a))", "now: W has passed since an a, and no e came"},
	"dwell":    {"dwell(a, W, until(b))", "now: W has passed since an a, and no b came"},
}

var insideWord = map[string]word{
	"after":     {"after(a)", "what absent waits after"},
	"until":     {"until(b)", "what ends the waiting of dwell"},
	"no":        {"no(c)", "what must not come between two steps of a sequence"},
	"half_life": {"half_life(W)", "how long it takes until the points of a score are worth half"},
	"cap":       {"cap(\"pool\", n, W)", "at most n firings of all rules that name the pool, for one key within W; for limit"},
}

var functionWord = map[string]word{
	"event": {"event(\"Product Viewed\")", "the event of that name"},
	"field": {"field(\"Product Name\")", "the field of that name"},
	"has":   {"has(form)", "the field is there and not null"},
	"len":   {"len(path)", "how many characters a text has"},
	"lower": {"lower(path)", "a text in small letters"},
	"trim":  {"trim(title)", "a text without the space around it"},
	"upper": {"upper(path)", "a text in capital letters"},
}

var actionWord = map[string]word{
	"popup":   {"popup(template, {…})", "shows a popup to the visitor"},
	"alert":   {"alert(text, {…})", "a line of the sales feed"},
	"webhook": {"webhook(\"name\", {…})", "calls the webhook of that name"},
	"tag":     {"tag(\"name\", W)", "puts a tag on the key, for W if it is given"},
	"untag":   {"untag(\"name\")", "takes a tag off the key"},
	"emit":    {"emit(\"type\", {…})", "makes an event of that type"},
}

var entryWord = map[string]word{
	"per":      {"per: visitor", "whom the rule watches: visitor, user, company, or a field or text of an event; needed"},
	"when":     {"when: on(e)", "the condition; the rule fires when it becomes true; needed"},
	"then":     {"then: popup(\"template\")", "one action, or a list of them; needed"},
	"unless":   {"unless: happened(e, W)", "looked at only when the rule fires; if it is true the firing is dropped"},
	"cooldown": {"cooldown: \"1d\"", "after a delivered firing none for the same key within this long"},
	"limit":    {limitExample, "at most so many delivered firings for a key, counted together for all rules that name the pool"},
	"priority": {"priority: 10", "of several rules that fire at one moment the highest comes first; 0 if not given"},
	"mode":     {"mode: \"live\"", "\"live\"; \"shadow\": fires, but nothing goes out; \"paused\": does nothing"},
	"title":    {"title: \"…\"", "what the rule is called, for people"},
	"owner":    {"owner: \"…\"", "who looks after it, for people"},
	"tags":     {"tags: [\"…\"]", "what it is filed under, for people"},
}

// unitWord is the units of durations in words.
var unitWord = map[string]string{"w": "weeks", "d": "days", "h": "hours", "m": "minutes", "s": "seconds", "ms": "milliseconds"}
