// The release of eKuiper that Nudge is measured beside, in a module of its own, so that what it needs does not become what Nudge needs.
module nudge/bench/peers/ekuiper

go 1.26.0

require github.com/lf-edge/ekuiper/v2 v2.4.0
