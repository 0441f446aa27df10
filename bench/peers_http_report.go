package bench

import "fmt"

// tellPeersHTTP puts the figures into the report. Rivals stand in pairs: ours, then the other.
func tellPeersHTTP(r *Report, rivals []*rival) {
	t := Table{Title: "over HTTP", Columns: []string{"requests/s", "of Nudge's", "answered after, p50", "p99", "lost after the 200"}}
	told := map[string]bool{}
	for i, p := range rivals {
		if p.leftOut != nil {
			if why := p.leftOut.Error(); !told[why] {
				told[why] = true
				r.LeftOut = append(r.LeftOut, kuiperName+": "+why)
			}
			continue
		}
		of := ratios(p.found.rate, rivals[i-i%2].found.rate)
		t.row(p.name(), spread(PerSecond, p.found.rate), spread(Times, of), spread(Micros, p.found.p50), spread(Micros, p.found.p99), spread(Share, p.lost))
		if p.ours {
			r.EventsPerSecond = max(r.EventsPerSecond, spread(PerSecond, p.found.rate).Median)
		}
	}
	r.Tables = append(r.Tables, t)
	r.Method = append(r.Method,
		"events of the workload as a site sends them, one a request, about 230 bytes of JSON, the same for both; closed loop: each kept-alive connection sends when it has its answer, "+
			fmt.Sprintf("for %v a slot; clients and servers share the cores", peersHTTPSlots*slotTime),
		"1 rule: a view of a page of prices; 10 rules: a view of one of ten such pages each; 5 of them count: five of those, and a visitor's 2nd, 3rd, 5th, 10th and 20th page view within 30 days",
		fmt.Sprintf("before any speed is looked at both are sent %d events in bursts that fit into a queue, and each rule must fire as often as was due", answersEvents),
		"lost after the 200: how many of the firings due for the requests that were answered with 200 never came, until nothing moved any more; Nudge's are all there, or the bench fails",
		"Nudge: the server of `nudge serve` with its defaults, in the generator's process; answered when the event is on disk; ids remembered; visitors, users and companies; firings go into the feed",
		kuiperName+": a process of its own with its httppush source, one stream that all rules of a set share (a rule alone has its own, with disableBufferFullDiscard), the sink nop, no checkpoints (qos 0), no log but of what is fatal: answered before the event is decoded, nothing on disk, nothing remembered twice",
	)
}
