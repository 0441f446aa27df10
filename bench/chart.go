package bench

import (
	"fmt"
	"html"
	"io"
	"strings"
)

// The chart's measures, in pixels.
const (
	chartNames  = 330 // wide
	chartBars   = 400 // wide: the longest bar
	chartValues = 190 // wide
	chartRow    = 28  // high
	chartBar    = 16  // high
	chartHead   = 34  // high
)

// chartStyle reads well on light and on dark pages.
const chartStyle = `<style>text{font:13px sans-serif;fill:#57606a}.h{font-weight:bold}rect{fill:#8c959f}.n{fill:#2f81f7}line{stroke:#57606a}</style>`

// writeChart draws a bar a row, as long as its median, with a line from the least to the most. Bars of Nudge itself stand out.
func writeChart(w io.Writer, title string, bars []bar) error {
	longest := 0.0
	for _, b := range bars {
		longest = max(longest, b.value.Max)
	}
	if longest == 0 {
		longest = 1
	}
	var s strings.Builder
	width, height := chartNames+chartBars+chartValues, chartHead+len(bars)*chartRow
	fmt.Fprintf(&s, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d">`+"\n%s\n", width, height, width, height, chartStyle)
	fmt.Fprintf(&s, `<text class="h" x="%d" y="20">%s</text>`+"\n", chartNames, html.EscapeString(title))
	for i, b := range bars {
		top := chartHead + i*chartRow
		middle := top + chartBar/2
		at := func(v float64) float64 { return chartNames + v/longest*chartBars }
		class := ""
		if strings.HasPrefix(b.name, "core") {
			class = ` class="n"`
		}
		fmt.Fprintf(&s, `<text x="%d" y="%d" text-anchor="end">%s</text>`, chartNames-10, middle+5, html.EscapeString(b.name))
		fmt.Fprintf(&s, `<rect%s x="%d" y="%d" width="%.1f" height="%d"/>`, class, chartNames, top, at(b.value.Median)-chartNames, chartBar)
		fmt.Fprintf(&s, `<line x1="%.1f" x2="%.1f" y1="%d" y2="%d"/>`, at(b.value.Min), at(b.value.Max), middle, middle)
		fmt.Fprintf(&s, `<text x="%.1f" y="%d">%s</text>`+"\n", at(b.value.Max)+8, middle+5, html.EscapeString(b.value.Unit.text(b.value.Median)))
	}
	s.WriteString("</svg>\n")
	_, err := io.WriteString(w, s.String())
	return err
}
