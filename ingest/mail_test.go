package ingest

import "testing"

func TestWorkDomain(t *testing.T) {
	m := mailCache{table: newMailDomains(), employers: map[string]string{}}
	for email, want := range map[string]string{
		"ana@acme.example":          "acme.example",
		"ana@mail.eu.acme.co.uk":    "acme.co.uk",
		"ana@acme.com.cn":           "acme.com.cn",
		"ana@acme.example.":         "acme.example",
		`"odd@quoted"@acme.example`: "acme.example",
		"ana@xn--bcher-kva.example": "xn--bcher-kva.example",
		"ana@bücher.example":        "xn--bcher-kva.example",
		"li@食狮.公司.cn":               "xn--85x722f.xn--55qx5d.cn",
		"ana@acme.github.io":        "acme.github.io",
		"ana@yahoo-inc.example":     "yahoo-inc.example",
		"a@qq.com.example":          "qq.com.example"[3:],
		"a@gmail.com":               "", "a@googlemail.com": "", "a@outlook.com": "", "a@outlook.de": "", "a@hotmail.co.uk": "", "a@live.com": "",
		"a@yahoo.com": "", "a@yahoo.co.jp": "", "a@yahoo.com.br": "", "a@icloud.com": "", "a@me.com": "", "a@proton.me": "", "a@protonmail.com": "",
		"a@gmx.de": "", "a@gmx.net": "", "a@web.de": "", "a@mail.ru": "", "a@yandex.ru": "", "a@yandex.com": "",
		"a@qq.com": "", "a@vip.qq.com": "", "a@163.com": "", "a@vip.163.com": "", "a@126.com": "", "a@sina.com": "", "a@sina.com.cn": "",
		"a@vip.sina.com": "", "a@sohu.com": "", "a@foxmail.com": "", "a@yeah.net": "", "a@aliyun.com": "", "a@139.com": "", "a@189.cn": "",
		"": "", "ana": "", "@acme.example": "", "ana@": "", "ana@localhost": "", "ana@co.uk": "", "ana@github.io": "", "ana@10.0.0.1": "",
		"ana@[10.0.0.1]": "", "ana@acme..example": "", "ana@.acme.example": "", "ana@ac me.example": "", "ana@-acme.example": "", "ana@acme-.example": "",
	} {
		if got := m.workDomain(email); got != want {
			t.Errorf("%q is of %q, want %q", email, got, want)
		}
	}
}

func TestSplitURL(t *testing.T) {
	for u, want := range map[string][3]string{
		"https://a.example":                     {"a.example", "/", ""},
		"https://a.example/":                    {"a.example", "/", ""},
		"https://a.example?x=1":                 {"a.example", "/", "x=1"},
		"https://u:p@a.example:81/b/c?x=1&y#f?": {"a.example:81", "/b/c", "x=1&y"},
		"//a.example/b":                         {"a.example", "/b", ""},
		"/b?x":                                  {"", "/b", "x"},
		"/b/http://c":                           {"", "/b/http://c", ""},
		"?x=1":                                  {"", "", "x=1"},
		"#/route":                               {"", "", ""},
		"file:///C:/x":                          {"", "/C:/x", ""},
		"mailto:a@b.example":                    {"", "", ""},
		"about:blank":                           {"", "", ""},
		"://x":                                  {"", "", ""},
		"":                                      {"", "", ""},
		"https://[::1]:80/x%2Fy":                {"[::1]:80", "/x%2Fy", ""},
	} {
		host, path, query := splitURL(u)
		if got := [3]string{host, path, query}; got != want {
			t.Errorf("%q splits into %q, want %q", u, got, want)
		}
	}
}
