package main

// mutant is the product with a fault.
type mutant struct {
	name string
	// file has the text old exactly once. The mutant has new in its place.
	file, old, new string
	// The test by in the package pkg must fail.
	pkg, by string
}

// mutants is the table. Every old text is a piece of the product. If a change moves it, change its
// row too.
func mutants() []mutant {
	return []mutant{
		{
			name: "the size of a stored object is not compared",
			file: "storage/settle.go",
			old:  "return stored.Size == want.Size &&", new: "return true &&",
			pkg: "./storage", by: "TestFaults",
		},
		{
			name: "a source may send another length than its range",
			file: "storage/origin/get.go",
			old:  "case resp.ContentLength >= 0 && resp.ContentLength != last-first+1:", new: "case false:",
			pkg: "./storage/origin", by: "TestGetRangeValidatesTheResponse",
		},
		{
			name: "ranges of two versions are mixed",
			file: "storage/origin/get.go",
			old:  `case resp.Header.Get("ETag") != want.ETag:`, new: "case false:",
			pkg: "./storage/origin", by: "TestGetRangeValidatesTheResponse",
		},
		{
			name: "an unasked 206 is the whole object",
			file: "storage/origin/get.go",
			old:  "if resp.StatusCode != http.StatusOK {",
			new:  "if resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusPartialContent {",
			pkg:  "./storage/origin", by: "TestWholeObjectsAreValidated",
		},
		{
			name: "a body without framing is copied",
			file: "activities/copier/fill.go",
			old:  "if !body.Framed() && !r.copier.AllowUnverified {", new: "if false {",
			pkg: "./activities/copier", by: "TestFirstRequest",
		},
		{
			name: "a digest of the source is not compared",
			file: "storage/origin/body.go",
			old:  "if err := b.verifier.Check(); err != nil {", new: "if err := b.verifier.Check(); err != nil && false {",
			pkg: "./storage/origin", by: "TestWholeObjectsAreVerified",
		},
		{
			name: "sources are reached by a proxy of the environment",
			file: "storage/origin/client.go",
			old:  "Proxy:                  nil,", new: "Proxy: http.ProxyFromEnvironment,",
			pkg: "./storage/origin", by: "TestEnvironmentProxyIsIgnored",
		},
		{
			name: "every address may be dialled",
			file: "storage/origin/client.go",
			old:  "KeepAlive: 30 * time.Second, Control: control}", new: "KeepAlive: 30 * time.Second}; _ = control",
			pkg: "./storage/origin", by: "TestDialGuard",
		},
		{
			name: "hops of a redirect are not checked",
			file: "storage/origin/follow.go",
			old:  "if err := c.Check(next); err != nil {", new: "if err := c.Check(next); err != nil && false {",
			pkg: "./storage/origin", by: "TestDisallowedRedirects",
		},
		{
			name: "a URL may hold a user name",
			file: "storage/origin/canonical.go",
			old:  `if strings.Contains(authority, "@") {`,
			new:  "authority = authority[strings.LastIndexByte(authority, '@')+1:]\n\tif false {",
			pkg:  "./storage/origin", by: "TestCanonicalRejects",
		},
		{
			name: "a source may say for how long it is left alone",
			file: "storage/origin/error.go",
			old:  "return min(max(until.Sub(now), 0), maxRetryAfter)", new: "return max(until.Sub(now), 0)",
			pkg: "./storage/origin", by: "TestRetryAfter",
		},
		{
			name: "an upload is aborted by a context that is done",
			file: "activities/copier/upload.go",
			old:  "context.WithTimeout(context.WithoutCancel(ctx), abortTimeout)", new: "context.WithTimeout(ctx, abortTimeout)",
			pkg: "./activities/copier", by: "TestCancelledStreamIsAborted",
		},
		{
			name: "a message is deleted before its workflow starts",
			file: "frontend/queue/receiver.go",
			old:  "			err = r.Handle(traced(ctx, m.trace), m.request)\n", new: "			_ = r.delete(ctx, m)\n			err = r.Handle(traced(ctx, m.trace), m.request)\n",
			pkg: "./frontend/queue", by: "TestFailedMessagesAreRedeliveredThenDeadLettered",
		},
		{
			name: "the bridge accepts what Temporal refused",
			file: "worker/bridge.go",
			old:  "		b.Waiting(ctx, err)\n", new: "		b.Waiting(ctx, err)\n		return nil\n",
			pkg: "./worker", by: "TestRequestIsRetriedWhileTemporalIsUnavailable",
		},
		{
			name: "the bridge asks no policy",
			file: "worker/bridge.go",
			old:  "if url, err = b.Admit(url); err != nil {", new: "if admitted, err := b.Admit(url); err == nil {\n		url = admitted\n	} else if false {",
			pkg: "./worker", by: "TestInvalidRequestsAreRejected",
		},
		{
			name: "every process gets the lease",
			file: "cache/scripts.go",
			old:  "if current ~= '' then return current end", new: "",
			pkg: "./cache", by: "TestContract",
		},
		{
			name: "a copy from before a purge is published",
			file: "cache/scripts.go",
			old:  "if generation(KEYS[2], ARGV[7]) > tonumber(ARGV[1]) then return -1 end", new: "",
			pkg: "./cache", by: "TestContract",
		},
		{
			name: "the near cache serves entries that redis may have changed",
			file: "cache/nearcache.go",
			old:  "if n.newTable == nil || int64(now.Sub(n.started)) >= n.freshUntil.Load() {", new: "if n.newTable == nil {",
			pkg: "./cache", by: "TestNearCacheServesNothingBeyondMaxStale",
		},
		{
			name: "error texts have no limit",
			file: "cache/rules.go",
			old:  "if len(why.Text) > maxText {", new: "if false {",
			pkg: "./cache", by: "TestPermanentErrorDeadline",
		},
		{
			name: "the URL in a path is decoded twice",
			file: "frontend/path.go",
			old:  "	if strings.Contains(text, \"://\") {\n		return text, nil",
			new:  "	if strings.Contains(text, \"://\") {\n		text, _ = url.PathUnescape(text)\n		return text, nil",
			pkg:  "./frontend", by: "FuzzURLForms",
		},
		{
			name: "a client is sent where the text of an entry says",
			file: "frontend/answer.go",
			old:  `h.Set("Location", target.Object.URL)`,
			new:  "h.Set(\"Location\", target.Object.URL)\n\t\tif e.Text != \"\" {\n\t\t\th.Set(\"Location\", e.Text)\n\t\t}",
			pkg:  "./frontend", by: "TestErrors",
		},
		{
			name: "the workflow asks for the copy before it looks for one",
			file: "workflows/local.go",
			old:  "	summary := \"look for \" + c.label()\n",
			new:  "	summary := \"look for \" + c.label()\n	_ = workflow.Sleep(ctx, 1e9)\n",
			pkg:  "./workflows", by: "TestRecordedHistoriesReplay",
		},
		{
			name: "the workflow publishes nothing",
			file: "workflows/copyobject.go",
			old:  "		result.Published, err = c.publish(ctx, result)\n", new: "",
			pkg: "./workflows", by: "TestRecordedHistoriesReplay",
		},
		{
			name: "the workflow records no class",
			file: "workflows/copyobject.go",
			old:  "	c.describe(ctx, failedWith(f))\n", new: "",
			pkg: "./workflows", by: "TestRecordedHistoriesReplay",
		},
		{
			name: "the workflow leaves the upload of a failed copy",
			file: "workflows/copyobject.go",
			old:  "	c.abortUpload(ctx)\n	c.drain(ctx)\n	f, ok := failureOf(cause)\n", new: "	c.drain(ctx)\n	f, ok := failureOf(cause)\n",
			pkg: "./workflows", by: "TestRecordedHistoriesReplay",
		},
		{
			name: "answers may be sniffed",
			file: "frontend/server.go",
			old:  "	w.Header()[\"X-Content-Type-Options\"] = noSniff // On every answer.\n", new: "",
			pkg: "./frontend", by: "TestEveryAnswerHasNosniff",
		},
		{
			name: "a wrong token is accepted",
			file: "frontend/token/parse.go",
			old:  "if subtle.ConstantTimeCompare(got[:], l[i].digest[:]) == 1 {", new: "if subtle.ConstantTimeCompare(got[:], l[i].digest[:]) >= 0 {",
			pkg: "./frontend/token", by: "TestCheck",
		},
		{
			name: "a copy is published that the bucket does not have",
			file: "activities/updatecache.go",
			old:  "if missing || !in.isCopy(stored) {", new: "if false {",
			pkg: "./activities", by: "TestUpdateCachePublishesOnlyWhatTheBucketHas",
		},
		{
			name: "queries are not sealed",
			file: "storage/seal/sealer.go",
			old:  "if i := len(o.Shown()); i < len(o.URL) {", new: "if i := len(o.Shown()); i < 0 {",
			pkg: "./storage/seal", by: "TestSealedQueryIsHiddenAndOpens",
		},
		{
			name: "a value of another key is trusted",
			file: "cache/codec.go",
			old:  " || b.Identity != identity(key) {", new: " {",
			pkg: "./cache", by: "TestAValueUnderAnotherKeyIsUndecodable",
		},
	}
}
