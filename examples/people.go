package examples

import "strings"

const (
	host     = "fernway.example"
	site     = "https://" + host
	bookPath = "/demo/book"
)

// page is one page of the site as the history visits it.
type page struct {
	path, title string
	form        bool
}

var (
	home    = page{path: "/demo/", title: "Fernway: delivery rounds, planned in minutes"}
	pricing = page{path: "/demo/pricing", title: "Pricing · Fernway"}
	docs    = page{path: "/demo/docs", title: "Docs · Fernway"}
	book    = page{path: bookPath, title: "Book a demo · Fernway", form: true}
)

// walks are ways through the site; a longer visit begins again.
var walks = [][]page{
	{home, pricing, docs},
	{home, docs, docs, pricing},
	{pricing, docs, home},
	{docs, docs, home},
	{home, pricing, book},
	{pricing, book, docs},
}

var arrivals = []struct{ referrer, query string }{
	{"https://www.google.com/", ""},
	{"https://www.bing.com/", "?utm_source=bing&utm_medium=cpc&utm_campaign=route-planning"},
	{"https://www.linkedin.com/", "?utm_source=linkedin&utm_medium=social"},
	{"", "?utm_source=newsletter&utm_medium=email&utm_campaign=november"},
	{"", ""},
}

// person is somebody who visits.
type person struct {
	visitor  string
	name     string
	mail     string // empty: never says who they are
	sessions int    // at most
	recent   bool   // may come within the window of hot-company
}

// staff are the companies and who visits from there. The first maxRecent of each may have come lately.
var staff = []struct{ domain, names string }{
	{DemoCompany, "Ana Moreno, Tom Okafor, Priya Nair, Jonas Weber"},
	{"northwind-foods.example", "Carla Ruiz, Ben Ashworth, Mei Tanaka"},
	{"brightpath.example", "Oskar Lind, Hana Sato, Luis Ortega, Ines Duarte"},
	{"kestrel-freight.example", "Noor Haddad, Erik Holm"},
	{"bluebird-bakery.example", "Sofia Rossi, Dan Keller, Amy Zhou"},
	{"harborline.example", "Marek Nowak, Lucy Grant, Omar Said"},
	{"medidrop.example", "Yuki Mori, Peter Blom, Zara Khan, Tim Sauer"},
	{"greenbox.example", "Nina Falk, Raj Patel, Eva Novak"},
	{"cityflorist.example", "Paul Adler, Grace Lim"},
	{"volta-parts.example", "Ivan Petrov, Julia Stein, Kofi Mensah"},
	{"huaxin-logistics.example", "Li Wei, Chen Jing, Wang Fang"},
	{"pineworks.example", "Emil Dahl, Rosa Pinto"},
}

// privateMails are people whose address says nothing about a company.
var privateMails = []struct{ name, mail string }{
	{"Kim Doyle", "kimdoyle88@gmail.com"},
	{"Sam Fisher", "samf@outlook.com"},
	{"Zhang Min", "284417093@qq.com"},
	{"Liu Yang", "liuyang.rt@163.com"},
	{"Mia Berg", "mia.berg@proton.me"},
}

const anonymous = 10

var people = everybody()

func everybody() []person {
	var list []person
	add := func(name, mail string, recent bool) {
		n := len(list)
		list = append(list, person{
			visitor: "demo-visitor-" + string(rune('a'+n/26)) + string(rune('a'+n%26)),
			name:    name, mail: mail, sessions: 1 + n%4, recent: recent,
		})
	}
	for _, c := range staff {
		for i, name := range strings.Split(c.names, ", ") {
			first, _, _ := strings.Cut(name, " ")
			add(name, strings.ToLower(first)+"@"+c.domain, i < maxRecent)
		}
	}
	for _, p := range privateMails {
		add(p.name, p.mail, true)
	}
	for range anonymous {
		add("", "", true)
	}
	return list
}
