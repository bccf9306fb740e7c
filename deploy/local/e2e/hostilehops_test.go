package e2e

// hop is a row with a URL that the trusted source redirects.
func hop(status int, location string, listed bool, want verdict) hostileRow {
	return hostileRow{url: "http://{ok}/{id}", status: status, location: location, listed: listed, want: want}
}

// hopRows are redirects of the trusted source.
func hopRows() (rows []hostileRow) {
	unlisted, control := denied("url is not on the list of allowed sources"), denied("url holds a control character")
	scheme, userinfo := denied("url is not an absolute http or https url"), denied("url holds a user name or password")
	broken := verdict{status: 302, class: "SourceMalformed", failure: "redirect to a url that is not valid"}
	for _, status := range []int{301, 302, 303, 307, 308} {
		rows = append(rows,
			hop(status, "/final/{id}", false, fromTrusted()),
			hop(status, "http://{v6}/{id}", false, unlisted),
			hop(status, "http://127.0.0.1:{listed}/{id}", true, badAddress()),
			hop(status, "http://169.254.169.254/latest/meta-data/iam/{id}", true, badAddress()),
			hop(status, "http://[fd00:ec2::254]/{id}", true, badAddress()),
			hop(status, "file:///etc/passwd", false, scheme),
		)
	}
	for _, at := range []struct {
		location string
		want     verdict
	}{
		// These stay at the trusted source.
		{"//{ok}/final/{id}", fromTrusted()},
		{"/final/{id}?@{local}/", fromTrusted()},
		{"///{v6}/{id}", fromTrusted()},
		{`/\{local}/{id}`, fromTrusted()},
		{"/..//{local}/{id}", fromTrusted()},
		{"./{local}/{id}", fromTrusted()},
		{"http://{ok}/final/{id}#@{local}/", fromTrusted()},
		{"HTTP://{ok}/final/{id}", fromTrusted()},
		// These don't.
		{"//{v6}/{id}", unlisted},
		{"http:///{v6}/{id}", denied("url has no host")},
		{"HTTP://{v6}/{id}", unlisted},
		{"http://{v6}#@{ok}/{id}", unlisted},
		{"http://{v6}?@{ok}/{id}", unlisted},
		{"//{v6}?{ok}/{id}", unlisted},
		{"http://{ok}@{v6}/{id}", userinfo},
		{"//{ok}@{v6}/{id}", userinfo},
		{`http://{v6}\@{ok}/{id}`, broken},
		{`\\{v6}\{id}`, broken},
		{`http:\\{v6}\{id}`, scheme},
		{"http:/{v6}/{id}", scheme},
		{"http:{v6}/{id}", scheme},
		{"javascript:alert(1)", scheme},
		{"data:text/plain,{id}", scheme},
		{"gopher://{local}/_{id}", scheme},
		{"ftp://{local}/{id}", scheme},
		{"ht\ttp://{v6}/{id}", broken},
		{"http://[::1%25x.allowed.example]:{v6port}/{id}", denied("ipv6 address that is not valid")},
		{"http://\uff11\uff12\uff17.0.0.1:{port}/{id}", denied("host that is not valid")},
		{"http://127.0.0.2:0/{id}", denied("port outside 1..65535")},
		{"http://{v6}\t/{id}", broken},
		{"http://{ok}/a\tb/{id}", control},
		{"http://{redis}/{id}", denied("leads to a server of this mirror")},
	} {
		rows = append(rows, hop(302, at.location, false, at.want))
	}
	for _, at := range []struct {
		location string
		want     verdict
	}{
		{"/final/{id}", fromTrusted()},
		// From https to http, which the allow-list does not name for this host and port.
		{"http://{okTLS}/{id}", unlisted},
		{"http://127.0.0.1:{listed}/{id}", badAddress()},
		{"//{v6}/{id}", unlisted},
	} {
		row := hop(302, at.location, false, at.want)
		row.url = "https://{okTLS}/{id}"
		rows = append(rows, row)
	}
	return rows
}
