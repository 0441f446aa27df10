package deliver

import (
	"encoding/json"
	"strconv"

	"nudge"
)

// popup is one popup action of a delivered firing. Immutable once it is in an inbox, but for the links, which the pending list owns.
type popup struct {
	id       string
	rule     string
	template string
	visitor  string
	data     json.RawMessage // our own copy
	cursor   nudge.Cursor
	expires  nudge.Millis // pending while now < expires

	older, newer *popup // in the order of publishing
}

// popupOverhead is what a pending popup takes beside its texts: itself, its places in the lists and maps, its visitor's inbox.
const popupOverhead = 400

// bytes is about what a pending popup takes.
func (p *popup) bytes() int { return popupOverhead + len(p.data) + len(p.visitor) }

// popupsOf makes the popups of a firing, in the order of its actions; none where it is not delivered.
func popupsOf(f *nudge.Firing, ttl nudge.Millis) []*popup {
	if !f.Delivered() {
		return nil
	}
	var list []*popup
	for _, a := range f.Actions {
		if a.Kind != nudge.ActionPopup {
			continue
		}
		list = append(list, &popup{
			id: actionID(f.ID, len(list)), rule: f.Rule, template: a.Name, visitor: f.Visitor,
			data: appendData(nil, a.Data), cursor: f.Cursor, expires: f.At + ttl,
		})
	}
	return list
}

// actionID is the id of the n-th action of its kind among a firing's: the firing's own id for the first.
func actionID(firing string, n int) string {
	if n == 0 {
		return firing
	}
	return firing + "." + strconv.Itoa(n)
}

// appendJSON appends the popup as clients see it.
func (p *popup) appendJSON(dst []byte) []byte {
	dst = append(dst, `{"id":`...)
	dst = nudge.AppendJSONString(dst, p.id)
	dst = append(dst, `,"rule":`...)
	dst = nudge.AppendJSONString(dst, p.rule)
	dst = append(dst, `,"template":`...)
	dst = nudge.AppendJSONString(dst, p.template)
	dst = append(dst, `,"data":`...)
	dst = append(dst, p.data...)
	dst = append(dst, `,"expires_at":`...)
	dst = strconv.AppendInt(dst, int64(p.expires), 10)
	return append(dst, '}')
}

// appendData appends an action's data on one line, as a server-sent event needs it: a line break between JSON tokens becomes a blank.
// Within a JSON string there is none.
func appendData(dst []byte, data json.RawMessage) []byte {
	if len(data) == 0 {
		return append(dst, "{}"...)
	}
	start := len(dst)
	dst = append(dst, data...)
	for i := start; i < len(dst); i++ {
		if dst[i] == '\n' || dst[i] == '\r' {
			dst[i] = ' '
		}
	}
	return dst
}
