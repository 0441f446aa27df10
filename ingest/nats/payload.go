package nats

import (
	"strconv"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"nudge"
)

// firingMessage is the message of a firing. A rule's id is a valid part of a subject.
func firingMessage(f *nudge.Firing) *nats.Msg {
	return &nats.Msg{
		Subject: FiredSubject + "." + f.Rule,
		Header:  nats.Header{jetstream.MsgIDHeader: {f.ID}, "Content-Type": {"application/json"}},
		Data:    appendFiring(make([]byte, 0, 512), f),
	}
}

// appendFiring appends a firing in the form of an alert, with its actions as a list.
func appendFiring(dst []byte, f *nudge.Firing) []byte {
	dst = append(dst, `{"id":"`...)
	dst = append(dst, f.ID...)
	dst = append(dst, `","cursor":"`...)
	dst = append(dst, f.Cursor.String()...)
	dst = append(dst, `","rule":`...)
	dst = nudge.AppendJSONString(dst, f.Rule)
	dst = append(dst, `,"per":`...)
	dst = nudge.AppendJSONString(dst, f.Per)
	dst = append(dst, `,"key":`...)
	dst = nudge.AppendJSONString(dst, f.Key)
	dst = append(dst, `,"at":`...)
	dst = strconv.AppendInt(dst, int64(f.At), 10)
	dst = append(dst, `,"cause":`...)
	dst = nudge.AppendJSONString(dst, f.Cause)
	if f.Visitor != "" {
		dst = append(dst, `,"visitor":`...)
		dst = nudge.AppendJSONString(dst, f.Visitor)
	}
	dst = append(dst, `,"actions":[`...)
	for i := range f.Actions {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendAction(dst, &f.Actions[i])
	}
	return append(dst, "]}"...)
}

func appendAction(dst []byte, a *nudge.Action) []byte {
	dst = append(dst, `{"kind":"`...)
	dst = append(dst, a.Kind.String()...)
	dst = append(dst, `","name":`...)
	dst = nudge.AppendJSONString(dst, a.Name)
	dst = append(dst, `,"data":`...)
	if len(a.Data) == 0 {
		dst = append(dst, "{}"...)
	}
	dst = append(dst, a.Data...)
	return append(dst, '}')
}
