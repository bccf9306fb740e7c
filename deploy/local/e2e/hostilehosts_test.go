package e2e

// unlistedRows are other names of hosts that are listed, and of this machine.
func unlistedRows() []hostileRow {
	rows := eachURL(notListed(),
		"http://{local}/{id}",
		"HTTP://{local}/{id}",
		"http://{v6}/{id}",
		"http://{meta}/latest/meta-data/{id}",
		"http://127.0.0.1.:{port}/{id}",
		"http://localhost:{metaPort}/{id}",
		"http://LOCALHOST:{metaPort}/{id}",
		"http://localhost.:{metaPort}/{id}",
		"http://x.localhost:{port}/{id}",
		"http://localhost.localdomain:{port}/{id}",
		"http://ip6-localhost:{v6port}/{id}",
		"http://2130706433:{metaPort}/{id}",
		"http://0x7f000001:{metaPort}/{id}",
		"http://0X7F.0.0.1:{port}/{id}",
		"http://0177.0.0.1:{port}/{id}",
		"http://00000177.0.0.1:{port}/{id}",
		"http://017700000001:{port}/{id}",
		"http://127.1:{metaPort}/{id}",
		"http://127.0.1:{port}/{id}",
		"http://127.000.000.001:{port}/{id}",
		"http://127.0.0.1.0:{port}/{id}",
		"http://6425673729:{port}/{id}",
		"http://0:{port}/{id}",
		"http://0.0.0.0:{metaPort}/{id}",
		"http://[::]:{metaPort}/{id}",
		"http://[0:0:0:0:0:0:0:1]:{metaPort}/{id}",
		"http://[::ffff:127.0.0.1]:{metaPort}/{id}",
		"http://[::FFFF:7F00:1]:{metaPort}/{id}",
		"http://[0:0:0:0:0:ffff:127.0.0.1]:{metaPort}/{id}",
		"http://[::127.0.0.1]:{metaPort}/{id}",
		"http://[64:ff9b::127.0.0.1]:{metaPort}/{id}",
		"http://[2002:7f00:1::]:{metaPort}/{id}",
		"http://127.0.0.2.nip.io:{okPort}/{id}",
		"http://xn--localhost-.test:{port}/{id}",
		"http://xn--12-tsf.0.0.1:{port}/{id}",
		"http://_localhost:{port}/{id}",
		"http://-127.0.0.1:{port}/{id}",
	)
	return rows
}

// nameRows resemble entries of the allow-list, which also name https://allowed.example,
// https://*.wild.example and the paths below https://prefix.example/dir/.
func nameRows() []hostileRow {
	rows := eachURL(notListed(),
		"https://allowed.example.evil.test/{id}",
		"https://allowed.example.127.0.0.1:{port}/{id}",
		"https://notallowed.example/{id}",
		"https://allowedxexample/{id}",
		"https://allowed-example/{id}",
		"https://sub.allowed.example/{id}",
		"https://allowed.example:8443/{id}",
		"https://allowed.example:80/{id}",
		"http://allowed.example/{id}",
		"http://allowed.example:443/{id}",
		"https://evil.test/https://allowed.example/{id}",
		"https://evil.test/allowed.example/{id}",
		"https://evil.test/.allowed.example/{id}",
		"https://evil.test?allowed.example/{id}",
		"https://evil.test?https://allowed.example/{id}",
		"https://evil.test#.allowed.example/{id}",
		"https://wild.example/{id}",
		"https://xwild.example/{id}",
		"https://wild.example.evil.test/{id}",
		"https://a.wild.example.evil.test/{id}",
		"https://evil.test/a.wild.example/{id}",
		"https://evil.test/x/a.wild.example/{id}",
		"https://a.wildxexample/{id}",
		"http://a.wild.example/{id}",
		"https://prefix.example/{id}",
		"https://prefix.example/dirx/{id}",
		"https://prefix.example/DIR/{id}",
		"https://prefix.example/dir?/{id}",
		"https://prefix.example//dir/{id}",
		"https://prefix.example/x/../dir/{id}",
		"https://prefix.example/dir/../{id}",
		"https://prefix.example/dir/./{id}",
		"https://prefix.example/dir/%2e%2e/{id}",
		"https://prefix.example/dir/.%2E/{id}",
		"https://prefix.example/dir/..%2f{id}",
		"https://prefix.example/dir/%252e%252e/{id}",
		"https://prefix.example/dir/..;a/{id}",
		`https://prefix.example/dir/..\{id}`,
		"https://prefix.example/dir/%5c..%5c{id}",
		"https://prefix.example/dir/%c0%ae%c0%ae/{id}",
		"https://prefix.example/dir%2f..%2f{id}",
		// The original's regular expressions name the next hosts: see listing.
		"https://regex.example.evil.test/{id}",
		"https://regexxexample/{id}",
		"https://evil.test/https://regex.example/{id}",
		"https://evil.test/x.anyregex.example/{id}",
		"https://a.anyregex.example.evil.test/{id}",
		"https://anyregex.example/{id}",
		"https://a.anyregex.example:8443/{id}",
	)
	for i, listing := range []string{
		"https://allowed.example/", "https://*.wild.example/", "https://prefix.example/dir/",
		`https://regex\.example/`, `https://[^/]*\.anyregex\.example/`,
	} {
		rows[i].listing = listing
	}
	return rows
}

// listedRows are hosts that the allow-list names. Their verdict depends on their address.
func listedRows(want verdict, urls ...string) []hostileRow {
	rows := eachURL(want, urls...)
	for i := range rows {
		rows[i].listed = true
	}
	return rows
}

// addressRows have addresses that may not be dialled, although the allow-list names them.
func addressRows() []hostileRow {
	rows := listedRows(badAddress(),
		"http://127.0.0.1:{listed}/{id}",
		"http://localhost:{listed}/{id}",
		"http://127.0.0.3:{listedMeta}/latest/meta-data/{id}",
		"http://[::1]:{listedV6}/{id}",
		"http://[::ffff:127.0.0.1]:{listed}/{id}",
		"http://[::7f00:1]:{listed}/{id}",
		"http://[64:ff9b::7f00:1]:{listed}/{id}",
		"http://[64:ff9b:1::7f00:1]:{listed}/{id}",
		"http://[2002:7f00:1::]:{listed}/{id}",
		"http://[2001:0:7f00:1::]:{listed}/{id}",
		"http://0.0.0.0:{listed}/{id}",
		"http://[::]:{listed}/{id}",
		"http://127.255.255.254:{listed}/{id}",
		"http://0.0.0.1:{listed}/{id}",
		// Metadata of AWS, GCP and Azure; of Azure's host; of Alibaba; of Oracle; of AWS by IPv6.
		"http://169.254.169.254/latest/meta-data/{id}",
		"http://168.63.129.16/{id}",
		"http://100.100.100.200/{id}",
		"http://192.0.0.192/{id}",
		"http://[fd00:ec2::254]/{id}",
		"http://169.254.170.2/{id}",
		"http://[::ffff:169.254.169.254]/{id}",
		"http://[2002:a9fe:a9fe::]/{id}",
		"http://[64:ff9b::a9fe:a9fe]/{id}",
		"http://[::ffff:168.63.129.16]/{id}",
		"http://[64:ff9b::a83f:8110]/{id}",
		"http://[64:ff9b:1::a83f:8110]/{id}",
		"http://[2002:a83f:8110::]/{id}",
		"http://[64:ff9b::6464:64c8]/{id}",
		"http://[2002:6464:64c8::]/{id}",
		"http://[64:ff9b::c000:c0]/{id}",
		"http://10.0.0.1/{id}",
		"http://172.16.0.1/{id}",
		"http://192.168.0.1/{id}",
		"http://100.64.0.1/{id}",
		"http://198.18.0.1/{id}",
		"http://192.0.2.1/{id}",
		"http://198.51.100.1/{id}",
		"http://203.0.113.1/{id}",
		"http://224.0.0.1/{id}",
		"http://240.0.0.1/{id}",
		"http://255.255.255.255/{id}",
		"http://[fe80::1]/{id}",
		"http://[fec0::1]/{id}",
		"http://[fc00::1]/{id}",
		"http://[ff02::1]/{id}",
		"http://[2001:db8::1]/{id}",
		"http://[100::1]/{id}",
	)
	// The C library reads numbers as addresses. Go's resolver looks them up as names.
	numbers := listedRows(unresolved(),
		"http://2130706433:{listed}/{id}",
		"http://0x7f.1:{listed}/{id}",
		"http://0177.1:{listed}/{id}",
		"http://127.1:{listed}/{id}",
	)
	refused := badAddress()
	for i := range numbers {
		numbers[i].cgo = &refused
	}
	// A host with a trailing dot is the host without it.
	dot := listedRows(badAddress(), "http://localhost.:{listed}/{id}")
	// The network is both allowed and denied.
	dot = append(dot, listedRows(badAddress(), "http://"+deniedIP+":{listedDenied}/{id}")...)
	okDot := eachURL(fromTrusted(), "http://127.0.0.2.:{okPort}/{id}")
	return append(append(append(rows, numbers...), dot...), okDot...)
}

// ownRows are parts of this mirror. The stack's own processes may dial their network.
func ownRows() []hostileRow {
	rows := eachURL(malformed("url leads to a server of this mirror"),
		"http://{redis}/{id}",
		"http://{sqs}/{id}",
		"http://{temporal}/{id}",
	)
	rows = append(rows, eachURL(malformed("url leads to this mirror itself"),
		"http://{frontEnd}/{id}",
		"http://{admin}/{id}",
	)...)
	for i := range rows {
		rows[i].own = true
	}
	return rows
}
