package oracle

import (
	"fmt"
	"testing"
	"time"
)

// Section 3, the window operators and first.
func TestWindowOperators(t *testing.T) {
	runScripts(t, []script{
		{
			cites: "an event with time ts is in a window of length W at instant t when t - W < ts <= t",
			rules: `r: when: count(page_view, "10s") >= 2`,
			events: `1000 page_view visitor=in
				10999 page_view visitor=in
				1000 page_view visitor=out at=11000
				21999 page_view visitor=edge
				31999 page_view visitor=edge`,
			want: `r in 10999 line:2`,
		},
		{
			cites: "Window operators do not depend on arrival order: a late event enters the windows where it belongs, however late",
			rules: `r: when: count(page_view, "2h") >= 2`,
			events: `10000000 page_view visitor=a
				2800000 page_view visitor=a
				10000000 page_view visitor=b
				2800001 page_view visitor=b`,
			want: `r b 10000000 line:4`,
		},
		{
			cites: "distinct(e, v, W): how many different non-missing values of v among them",
			rules: `r: when: distinct(page_view, path, "10s") >= 2`,
			events: `1000 page_view visitor=a path=/x
				1001 page_view visitor=a
				1002 page_view visitor=a path=null
				1003 page_view visitor=a path=/x
				1004 page_view visitor=a path=/y`,
			want: `r a 1004 line:5`,
		},
		{
			cites: "Text, number and bool are never equal to each other: nor are they one value of distinct",
			rules: `r: when: distinct(page_view, plan, "10s") >= 3`,
			events: `1000 page_view visitor=a plan=1
				1001 page_view visitor=a plan="1"
				1002 page_view visitor=a plan=true`,
			want: `r a 1002 line:3`,
		},
		{
			cites: "days(e, W): on how many calendar days (engine time zone, default UTC) they fall",
			rules: `r: when: days(page_view, "ever") >= 2`,
			events: `86399999 page_view visitor=a
				86400000 page_view visitor=a`,
			want: `r a 86400000 line:2`,
		},
		{
			cites: "days(e, W): … engine time zone",
			rules: `r: when: days(page_view, "ever") >= 2`,
			events: `86399999 page_view visitor=a
				86400000 page_view visitor=a
				82799999 page_view visitor=b
				82800000 page_view visitor=b`,
			opts: Options{Location: time.FixedZone("+1", 3600)},
			want: `r b 86400000 line:4`,
		},
		{
			cites: `W may also be "ever" for count, distinct, days, sum, happened, first`,
			rules: `c: when: count(page_view, "ever") >= 2
				d: when: distinct(page_view, path, "ever") >= 2
				f: when: first(page_view, "ever")
				h: when: happened(page_view, "ever")`,
			events: `1 page_view visitor=a path=/1
				90000000000 page_view visitor=a path=/2`,
			want: `f a 1 line:1
				h a 1 line:1
				c a 90000000000 line:2
				d a 90000000000 line:2`,
		},
		{
			cites: "values(e, v, W): the newest different values, newest first; by the newest ts of the value, then later stamp",
			rules: `r: when: on(form_submit), then: alert("x", {p: values(page_view, path, "10s")})`,
			events: `1000 page_view visitor=a path=/old
				5000 page_view visitor=a path=/x
				6000 page_view visitor=a path=/y
				6000 page_view visitor=a path=/z
				6500 page_view visitor=a
				5500 page_view visitor=a path=/late
				7000 page_view visitor=a path=/x
				11000 form_submit visitor=a`,
			want: `r a 11000 line:8 {"p":["/x","/z","/y","/late"]}`,
		},
		{
			cites: "values: up to 20",
			rules: `r: when: on(form_submit), then: alert("x", {p: values(form_view, n, "1m")})`,
			events: func() (lines string) {
				for n := range 22 {
					lines += fmt.Sprintf("%d form_view visitor=a n=%d\n", 1000+n, n)
				}
				return lines + "2000 form_submit visitor=a"
			}(),
			want: `r a 2000 line:23 {"p":[21,20,19,18,17,16,15,14,13,12,11,10,9,8,7,6,5,4,3,2]}`,
		},
		{
			cites: "first(e, W): pulse at a matching event when the newest matching ts so far is missing or ≤ ts − W",
			rules: `r: when: first(page_view, "10s")`,
			events: `1000 page_view visitor=a
				10999 page_view visitor=a
				20999 page_view visitor=a`,
			want: `r a 1000 line:1
				r a 20999 line:3`,
		},
		{
			cites: "first: an event older than that newest one never pulses",
			rules: `r: when: first(page_view, "1s")`,
			events: `9000 page_view visitor=a
				1000 page_view visitor=a`,
			want: `r a 9000 line:1`,
		},
		{
			cites: "later than lateness is history: it counts as newest ts and makes no pulse",
			rules: `f: when: first(page_view, "1h")
				o: when: on(page_view)`,
			events: `3600000 page_view visitor=a at=7200000
				3599999 page_view visitor=b at=7200000
				7199998 page_view visitor=b at=7200000
				7199999 page_view visitor=b at=7200000`,
			want: `f a 7200000 line:1
				o a 7200000 line:1
				o b 7200000 line:3
				o b 7200000 line:4`,
		},
		{
			cites:  "history enters windows: a level may rise by it",
			rules:  `r: when: count(page_view, "3h") >= 1`,
			events: `1 page_view visitor=a at=7200000`,
			want:   `r a 7200000 line:1`,
		},
		{
			cites: "lateness is a setting",
			rules: `r: when: on(page_view)`,
			events: `1000 page_view visitor=a at=1100
				1000 page_view visitor=b at=1101`,
			opts: Options{Lateness: 100},
			want: `r a 1100 line:1`,
		},
	})
}

// Section 3, "Deadlines".
func TestDwell(t *testing.T) {
	runScripts(t, []script{
		{
			cites: "dwell: pulse W after an enter that no leave followed; repeated enters change nothing",
			rules: `r: when: dwell(form_view, "20s", until(form_submit)), then: popup("p", {form: form})`,
			events: `1000 form_view visitor=a form=one
				2000 form_view visitor=a form=two`,
			opts: Options{Until: 21000},
			want: `r a 21000 timer {"form":"one"}`,
		},
		{
			cites: "an ending event cancels when its ts lies in [ts(start), ts(start) + W); a submit at exactly 20.000 s is too late",
			rules: `r: when: dwell(form_view, "20s", until(form_submit))`,
			events: `1000 form_view visitor=late
				1000 form_view visitor=early
				20999 form_submit visitor=early
				21000 form_submit visitor=late`,
			opts: Options{Drain: true},
			want: `r late 21000 timer`,
		},
		{
			cites: "[ts(start), …: an ending at the start's own ts cancels, one before it does not",
			rules: `r: when: dwell(form_view, "1s", until(form_submit))`,
			events: `5000 form_view visitor=a
				5000 form_submit visitor=a
				5000 form_view visitor=b
				4999 form_submit visitor=b`,
			opts: Options{Drain: true},
			want: `r b 6000 timer`,
		},
		{
			cites: "deadline max(ts(start) + W, at(start) + 1 ms)",
			rules: `r: when: dwell(form_view, "1s", until(form_submit))`,
			events: `1000 form_view visitor=a at=9000
				8001 form_view visitor=b at=9000`,
			opts: Options{Drain: true},
			want: `r a 9001 timer
				r b 9001 timer`,
		},
		{
			cites: "…, ts(start) + W): an ending at the edge does not cancel, even where the deadline is later",
			rules: `r: when: dwell(form_view, "1s", until(form_submit))`,
			events: `1000 form_view visitor=edge at=9000
				1000 form_view visitor=in at=9000
				1999 form_submit visitor=in at=9000
				2000 form_submit visitor=edge at=9000`,
			opts: Options{Drain: true},
			want: `r edge 9001 timer`,
		},
		{
			cites: "after the pulse nothing happens until a leave: one that ended an earlier wait does not count",
			rules: `r: when: dwell(form_view, "1s", until(form_submit))`,
			events: `1000 form_view visitor=a
				1500 form_submit visitor=a
				3000 form_view visitor=a
				5000 form_view visitor=a`,
			opts: Options{Drain: true},
			want: `r a 4000 timer`,
		},
		{
			cites: "remembers the newest ts of its ending events, not the last one's",
			rules: `r: when: dwell(form_view, "1s", until(form_submit))`,
			events: `5000 form_submit visitor=a
				3000 form_submit visitor=a
				4000 form_view visitor=a`,
			opts: Options{Drain: true},
		},
		{
			cites: "after the pulse nothing happens until a leave",
			rules: `r: when: dwell(form_view, "1s", until(form_submit))`,
			events: `1000 form_view visitor=a
				3000 form_view visitor=a
				5000 form_submit visitor=a
				6000 form_view visitor=a`,
			opts: Options{Drain: true},
			want: `r a 2000 timer
				r a 7000 timer`,
		},
		{
			cites: "an ending event stamped after the start, with ts ≥ ts(start), even one that came before the pulse, makes it ready again",
			rules: `r: when: dwell(form_view, "1s", until(form_submit))`,
			events: `1000 form_view visitor=a at=9000
				9000 form_submit visitor=a
				9001 form_view visitor=a`,
			opts: Options{Drain: true},
			want: `r a 9001 timer
				r a 10001 timer`,
		},
		{
			cites: "one ending event older than the start ends nothing, also after the pulse",
			rules: `r: when: dwell(form_view, "1s", until(form_submit))`,
			events: `5000 form_view visitor=a
				7000 page_view visitor=a
				4999 form_submit visitor=a
				8000 form_view visitor=a
				5000 form_submit visitor=a
				9000 form_view visitor=a`,
			opts: Options{Drain: true},
			want: `r a 6000 timer
				r a 10000 timer`,
		},
		{
			cites: "Each operator remembers the newest ts of its ending events; a start with ts below that opens nothing",
			rules: `r: when: dwell(form_view, "1s", until(form_submit))`,
			events: `5000 form_submit visitor=a
				4999 form_view visitor=a
				5000 form_submit visitor=b
				5000 form_view visitor=b`,
			opts: Options{Drain: true},
			want: `r b 6000 timer`,
		},
		{
			cites: "An event that is both ends what is open, then starts anew (dwell: leave, then enter)",
			rules: `r: when: dwell(page_view and path == "/p", "20s", until(page_view or page_leave))`,
			events: `1000 page_view visitor=a path=/p
				15000 page_view visitor=a path=/p
				40000 page_view visitor=a path=/p
				41000 page_view visitor=a path=/q`,
			opts: Options{Drain: true},
			want: `r a 35000 timer`,
		},
		{
			cites: "history still ends waits, but it starts none",
			rules: `r: when: dwell(form_view, "3h", until(form_submit))`,
			events: `1000 form_view visitor=a at=2000
				1000 form_submit visitor=a at=7200000
				1000 form_view visitor=b at=7200000
				3600000 form_view visitor=c at=7200000`,
			opts: Options{Drain: true},
			want: `r c 14400000 timer`,
		},
	})
}

func TestAbsent(t *testing.T) {
	runScripts(t, []script{
		{
			cites: "absent: pulse W after an a that no e followed; while one a is waiting, further a change nothing",
			rules: `r: when: absent(form_submit, "10s", after(form_view))`,
			events: `1000 form_view visitor=a
				5000 form_view visitor=a
				12000 form_view visitor=a`,
			opts: Options{Drain: true},
			want: `r a 11000 timer
				r a 22000 timer`,
		},
		{
			cites: "e ends the waiting",
			rules: `r: when: absent(form_submit, "10s", after(form_view))`,
			events: `1000 form_view visitor=a
				10999 form_submit visitor=a
				1000 form_view visitor=b at=11000
				20000 form_submit visitor=b`,
			opts: Options{Drain: true},
			want: `r b 11001 timer`,
		},
		{
			cites: `absent: e, then after. So "went quiet" is absent(login, "14d", after(login))`,
			rules: `r: when: absent(event("login"), "14d", after(event("login")))`,
			events: `1000 login visitor=a
				1000000000 login visitor=a
				999999999 login visitor=a`,
			opts: Options{Drain: true},
			want: `r a 2209600000 timer`,
		},
		{
			cites: "one ending event older than the start ends nothing",
			rules: `r: when: absent(form_submit, "10s", after(form_view))`,
			events: `5000 form_view visitor=a
				4999 form_submit visitor=a`,
			opts: Options{Drain: true},
			want: `r a 15000 timer`,
		},
		{
			cites: "when several waits pulse at once the one whose operator call comes first in the text of when decides the fields",
			rules: `r: when: absent(page_leave, "2s", after(form_submit)) or dwell(form_view, "3s", until(page_leave)), then: alert("x", {f: form})
				s: when: dwell(form_view, "3s", until(page_leave)) or absent(page_leave, "2s", after(form_submit)), then: alert("x", {f: form})`,
			events: `1000 form_view visitor=a form=dwell
				2000 form_submit visitor=a form=absent`,
			opts: Options{Drain: true},
			want: `r a 4000 timer {"f":"absent"}
				s a 4000 timer {"f":"dwell"}`,
		},
	})
}
