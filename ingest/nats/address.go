package nats

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
)

// Server is where a broker is, and who we are there.
type Server struct {
	URL      string // scheme, host and port
	User     string // or a token, where there is no password
	Password string
	Creds    string // file with a user's credentials, "" for none
}

// Stream is a stream of events on a broker.
type Stream struct {
	Server
	Name     string
	Consumer string // durable; DefaultConsumer unless given
}

// DefaultConsumer is the name of the durable consumer that a source makes where none is given.
const DefaultConsumer = "nudge"

// maxNameBytes bounds the name of a stream or a consumer: the ids that are derived from it must fit an event's.
const maxNameBytes = 128

const (
	exampleServer = "nats://127.0.0.1:4222"
	defaultPort   = "4222"
)

// ParseServer reads nats://[USER:PASSWORD@]HOST[:PORT], or tls://….
func ParseServer(text string) (Server, error) {
	u, err := parseURL(text, exampleServer)
	if err != nil {
		return Server{}, err
	}
	if strings.Trim(u.Path, "/") != "" || u.RawQuery != "" {
		return Server{}, fmt.Errorf("%q names more than a broker; write it as %s", u.Redacted(), exampleServer)
	}
	return serverOf(u), nil
}

// ParseStream reads nats://[USER:PASSWORD@]HOST[:PORT]/STREAM[?consumer=NAME].
func ParseStream(text string) (Stream, error) {
	const example = exampleServer + "/EVENTS"
	u, err := parseURL(text, example)
	if err != nil {
		return Stream{}, err
	}
	s := Stream{Server: serverOf(u), Name: strings.Trim(u.Path, "/"), Consumer: DefaultConsumer}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return s, fmt.Errorf("%q: what follows the ? cannot be read; write it as %s?consumer=NAME", u.Redacted(), example)
	}
	for key, values := range query {
		if key != "consumer" || len(values) != 1 {
			return s, fmt.Errorf("%q: %q is not known, or stands there twice; there is only consumer, as in %s?consumer=NAME", u.Redacted(), key, example)
		}
		s.Consumer = values[0]
	}
	if s.Name == "" {
		return s, fmt.Errorf("%q names no stream; write it as %s", u.Redacted(), example)
	}
	for what, name := range map[string]string{"stream": s.Name, "consumer": s.Consumer} {
		if name == "" || len(name) > maxNameBytes || strings.ContainsFunc(name, notInName) {
			return s, fmt.Errorf("%q: the name of the %s %q must have 1 to %d letters, digits and signs, without . * > / \\ and spaces", u.Redacted(), what, name, maxNameBytes)
		}
	}
	return s, nil
}

func notInName(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`.*>/\`, r) }

func parseURL(text, example string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil {
		var parse *url.Error
		if errors.As(err, &parse) {
			err = parse.Err // without the text, which may hold a password
		}
		return nil, fmt.Errorf("not a URL (%w); write it as %s", err, example)
	}
	if u.Scheme != "nats" && u.Scheme != "tls" || u.Hostname() == "" {
		return nil, fmt.Errorf("%q is not the URL of a broker; write it as %s (tls:// for an encrypted connection)", u.Redacted(), example)
	}
	if strings.Contains(u.Host, ",") {
		return nil, fmt.Errorf("%q names several brokers; name one, as in %s: it tells of the others of its cluster", u.Redacted(), example)
	}
	return u, nil
}

func serverOf(u *url.URL) Server {
	port := u.Port()
	if port == "" {
		port = defaultPort
	}
	s := Server{URL: u.Scheme + "://" + net.JoinHostPort(u.Hostname(), port), User: u.User.Username()}
	s.Password, _ = u.User.Password()
	return s
}

// Position is the name under which a source's place is logged. It does not name the broker, which may move.
func (s Stream) Position() string { return "nats/" + s.Name + "/" + s.Consumer }

// SinkPosition is the name under which the sink's place is logged.
const SinkPosition = "nats/fired"
