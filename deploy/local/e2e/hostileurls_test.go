package e2e

import "strings"

// eachURL returns a row with the same verdict for each URL.
func eachURL(want verdict, urls ...string) (rows []hostileRow) {
	for _, u := range urls {
		rows = append(rows, hostileRow{url: u, want: want})
	}
	return rows
}

// schemeRows have no scheme, or one that sources can't have.
func schemeRows() []hostileRow {
	rows := eachURL(notEncoded(),
		"javascript:alert('{id}')",
		"data:text/html,{id}",
		"about:blank?{id}",
		"mailto:{id}@allowed.example",
		"file:/etc/passwd#{id}",
		"http:/{local}/{id}",
		"http:{local}/{id}",
		"//{local}/{id}",
		"/{id}",
		"{local}/{id}",
		`http:\\{local}\{id}`,
		`\\{local}\{id}`,
		"http%3A%2F%2F{local}%2F{id}",
		"http%253A%252F%252F{local}%252F{id}",
		"http&colon;//{local}/{id}",
	)
	split := notEncoded()
	split.text = "url holds a control character"
	rows = append(rows, eachURL(split, "http:\n//{local}/{id}", "http:/\t/{local}/{id}", "http\x00:{local}/{id}")...)
	other := malformed("url is not an absolute http or https url")
	return append(rows, eachURL(other,
		"file:///etc/passwd?{id}",
		"FILE://{local}/{id}",
		"file://localhost/etc/passwd?{id}",
		"gopher://{local}/_GET%20/{id}",
		"ftp://{local}/{id}",
		"sftp://{local}/{id}",
		"tftp://{local}/{id}",
		"dict://{local}/{id}",
		"ldap://{local}/{id}",
		"ws://{local}/{id}",
		"unix:///var/run/{id}.sock",
		"http+unix://%2Fvar%2Frun%2F{id}.sock/",
		"s3://cloud-mirror-local-us-west-2/{id}",
		"javascript://{local}/%0aalert('{id}')",
		"jar:http://{local}/{id}!/",
		"view-source:http://{local}/{id}",
		"url:http://{local}/{id}",
		" http://{local}/{id}",
		"http ://{local}/{id}",
		"httpx://{local}/{id}",
		"hxtp://{local}/{id}",
		"\u0125ttp://{local}/{id}",
		"http\u200b://{local}/{id}",
		"://{local}/{id}",
	)...)
}

// userinfoRows mislead parsers about where the host begins and ends.
func userinfoRows() []hostileRow {
	rows := eachURL(malformed("url holds a user name or password"),
		"http://{ok}@{local}/{id}",
		"http://{local}@{ok}/{id}",
		"http://user:password@{ok}/{id}",
		"http://@{local}/{id}",
		"http://:@{local}/{id}",
		"http://{ok}:@{local}/{id}",
		"http://{ok}@{ok}@{local}/{id}",
		`http://{ok}\@{local}/{id}`,
		`http://{local}\@{ok}/{id}`,
		"http://allowed.example;@{local}/{id}",
		"http://allowed.example%00@{local}/{id}",
	)
	rows = append(rows, eachURL(malformed("url holds a control character"),
		"ht\ttp://{local}/{id}",
		"\thttp://{local}/{id}",
		"http://\t{local}/{id}",
		"http://{ok}\t@{local}/{id}",
		"http://{ok}\r\n.allowed.example/{id}",
		"http://{ok}/{id} HTTP/1.1\r\nHost: {local}\r\n\r\n",
		"http://{ok}/{id}\nX-Injected: 1",
		"http://{ok}\x00.allowed.example/{id}",
		"http://{ok}/{id}\x00",
		"http://{ok}/{id}#\x00",
		"http://{ok}/\x7f{id}",
		"http://{ok}/\x0b{id}",
		"http://{local}/{id}\t",
	)...)
	// The authority ends at the first slash, question mark or number sign.
	rows = append(rows, eachURL(notListed(),
		"http://{local}#@{ok}/{id}",
		"http://{local}?@{ok}/{id}",
		"http://{local}/@{ok}/{id}",
		"http://{local}/{id}?{ok}",
		"http://{local}/{id}#http://{ok}/",
		"http://{local}/http://{ok}/{id}",
		"http://{local}/..;@{ok}/{id}",
	)...)
	return append(rows, eachURL(fromTrusted(),
		"http://{ok}/{id}",
		"https://{okTLS}/{id}",
		"HTTP://{ok}/{id}",
		"http://{ok}/{id}#@{local}/",
		"http://{ok}/{id}?@{local}/",
		"http://{ok}?@{local}/{id}",
		"http://{ok}/@{local}/{id}",
		"http://{ok}//{local}/{id}",
		`http://{ok}/\@{local}/{id}`,
		`http://{ok}/\\{local}\{id}`,
		"http://{ok}/{id}?url=http://{local}/",
		"http://{ok}/..//{local}/{id}",
		"http://{ok}/%2e%2e/%00/{id}",
		"http://{ok}/{id}%0d%0aHost:%20{local}",
	)...)
}

// hostRows have hosts that no host name can be.
func hostRows() []hostileRow {
	rows := eachURL(malformed("url has a host that is not valid"),
		`http://127.0.0.2:{okPort}\{local}/{id}`,
		`http://127.0.0.2\{local}/{id}`,
		"http://allowed.example%2f.evil.test/{id}",
		"http://%6c%6f%63alhost:{port}/{id}",
		"http://%31%32%37.0.0.1:{port}/{id}",
		"http://127.0.0.1%00.allowed.example:{port}/{id}",
		"http://127.0.0.1%2eallowed.example:{port}/{id}",
		"http://127.0.0.1%20.allowed.example:{port}/{id}",
		"http://127.0.0.1 .allowed.example:{port}/{id}",
		"http://127.0.0.1 {id}/",
		"http://\uff11\uff12\uff17.0.0.1:{port}/{id}",
		"http://127\u30020\u30020\u30021:{port}/{id}",
		"http://127\uff0e0\uff0e0\uff0e1:{port}/{id}",
		"http://127\uff610\uff610\uff611:{port}/{id}",
		"http://\u2460\u2461\u2466.\u24ea.\u24ea.\u2460:{port}/{id}",
		"http://\u24dbocalhost:{port}/{id}",
		"http://loc\u00adalhost:{port}/{id}",
		"http://local\u200bhost:{port}/{id}",
		"http://\u212aube.example/{id}",
		"http://b\u00fccher.example/{id}",
		"http://allowed\u2024example/{id}",
		"http://allowed.example\u2044{local}/{id}",
		"http://allowed.example\uff0f{local}/{id}",
		"http://allowed.example\uff1f{local}/{id}",
		"http://\xff127.0.0.1:{port}/{id}",
		"http://127.0.0.1,127.0.0.2:{port}/{id}",
		"http://127.0.0.1;127.0.0.2:{port}/{id}",
		"http://127.0.0.1|127.0.0.2:{port}/{id}",
		"http://127.0.0.1&127.0.0.2:{port}/{id}",
		"http://127.0.0.*:{port}/{id}",
		"http://*.wild.example/{id}",
		"http://<127.0.0.1>:{port}/{id}",
		"http://{127.0.0.1}:{port}/{id}",
		"http://'127.0.0.1':{port}/{id}",
		"http://$(127.0.0.1):{port}/{id}",
		"http://::1:{port}/{id}",
		"http://0:0:0:0:0:0:0:1/{id}",
	)
	rows = append(rows, eachURL(malformed("url has no host"),
		"http:///{local}/{id}",
		"http://:{port}/{id}",
		"http://?{local}/{id}",
	)...)
	rows = append(rows, eachURL(malformed("url has an ipv6 address that is not valid"),
		"http://[::1%25x.allowed.example]:{v6port}/{id}",
		"http://[::1%x.allowed.example]:{v6port}/{id}",
		"http://[::1%25lo]:{v6port}/{id}",
		"http://[::1%251]:{v6port}/{id}",
		"http://[fe80::1%25eth0]/{id}",
		"http://[::ffff:127.0.0.1%25lo]:{port}/{id}",
		"http://[127.0.0.1]:{port}/{id}",
		"http://[localhost]:{port}/{id}",
		"http://[::1/{id}",
		"http://[]/{id}",
		"http://[::1].allowed.example/{id}",
		"http://[v1.fe80::a]/{id}",
		"http://[1::2::3]/{id}",
		"http://[::ffff:0x7f.0.0.1]:{port}/{id}",
		"http://[::1]]:{v6port}/{id}",
		"http://[[::1]]:{v6port}/{id}",
	)...)
	long := strings.Repeat("a", 64)
	rows = append(rows, eachURL(badName("with a label of more than 63 bytes"),
		"http://"+long+".wild.example/{id}",
		"http://wild."+long+"/{id}",
		"http://"+long+"/{id}",
	)...)
	rows = append(rows, eachURL(badName("of more than 253 bytes"),
		"http://"+strings.Repeat("a.", 127)+"example/{id}",
		"http://"+strings.Repeat("a.", 126)+"aa./{id}",
	)...)
	return append(rows, eachURL(badName("with an empty label"),
		"http://127..0.0.1:{port}/{id}",
		"http://.127.0.0.1:{port}/{id}",
		"http://127.0.0.1..:{port}/{id}",
		"http://./{id}",
		"http://../{id}",
	)...)
}

// portRows have ports that no server has.
func portRows() []hostileRow {
	rows := eachURL(malformed("url has a port outside 1..65535"),
		"http://127.0.0.2:0/{id}",
		"http://127.0.0.2:65536/{id}",
		"http://127.0.0.2:-1/{id}",
		"http://127.0.0.2:+{okPort}/{id}",
		"http://127.0.0.2: {okPort}/{id}",
		"http://127.0.0.2:8x/{id}",
		"http://127.0.0.2:0x1f90/{id}",
		"http://127.0.0.2:1_0/{id}",
		"http://127.0.0.2:18446744073709551696/{id}",
		"http://127.0.0.2:\uff18\uff10/{id}",
		"http://127.0.0.2:{okPort}.allowed.example/{id}",
		`http://{local}\.allowed.example/{id}`,
		"http://[::1]:{v6port}x/{id}",
	)
	rows = append(rows, eachURL(malformed("url has a host that is not valid"),
		"http://{ok}:{port}/{id}",
		"http://{ok}:80/{id}",
	)...)
	rows = append(rows, eachURL(notListed(),
		"http://127.0.0.2/{id}",
		"http://127.0.0.2:/{id}",
		"http://127.0.0.2:443/{id}",
		"https://127.0.0.2:80/{id}",
		"https://{ok}/{id}",
		"http://{okTLS}/{id}",
	)...)
	return append(rows, eachURL(fromTrusted(), "http://127.0.0.2:0{okPort}/{id}")...)
}
