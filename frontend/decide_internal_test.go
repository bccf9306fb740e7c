package frontend

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/frontend/flight"
)

func TestDecide(t *testing.T) {
	present := cache.Entry{State: cache.Present}
	pending := cache.Entry{State: cache.Pending}
	transient := cache.Entry{State: cache.Error, Reason: cache.Reason{Class: "SourceUnreachable"}}
	permanent := func(r cache.Reason) cache.Entry { return cache.Entry{State: cache.Error, Permanent: true, Reason: r} }
	gone := permanent(cache.Reason{Class: "BadHTTPStatus", Status: 404, AboutObject: true})
	forbidden := permanent(cache.Reason{Class: "BadHTTPStatus", Status: 403})
	refused := permanent(cache.Reason{Class: "InvalidUrl"})
	truncated := permanent(cache.Reason{Class: "SourceTruncated"})
	unavailable := permanent(cache.Reason{Class: "BadHTTPStatus", Status: 503})
	for name, tc := range map[string]struct {
		situation situation
		want      decision
	}{
		"present at the first look": {situation{Entry: present, FirstLook: true}, decision{302, toCopy, false, reasonHit}},
		"present after a wait":      {situation{Entry: present}, decision{302, toCopy, false, reasonCopied}},
		"present while the process stops, the queue is down and the wait is over": {
			situation{Entry: present, QueueDown: true, Stopping: true, Gone: true, Limit: flight.LimitWaiters, AtLimit: AtLimitRefuse, WaitOver: true},
			decision{302, toCopy, false, reasonCopied},
		},
		"present, with another digest than expected": {
			situation{Entry: present, FirstLook: true, OtherDigest: true}, decision{302, toSource, false, reasonDigest},
		},
		"pending, with another digest than expected": {
			situation{Entry: pending, FirstLook: true, OtherDigest: true}, decision{302, toSource, false, reasonDigest},
		},
		"switched off, and present":   {situation{Entry: present, FirstLook: true, Bypassed: true}, decision{302, toSource, false, reasonOff}},
		"switched off, and absent":    {situation{FirstLook: true, Bypassed: true}, decision{302, toSource, false, reasonOff}},
		"region unknown":              {situation{Unlocated: true}, decision{302, toSource, false, reasonRegion}},
		"absent at the first look":    {situation{FirstLook: true}, decision{0, nowhere, true, reasonWait}},
		"absent, without a wait":      {situation{FirstLook: true, WaitOver: true}, decision{302, toSource, true, reasonTimeout}},
		"absent, not requested":       {situation{QueueDown: true}, decision{302, toSource, false, reasonNoQueue}},
		"pending":                     {situation{Entry: pending}, decision{0, nowhere, false, reasonWait}},
		"pending, wait over":          {situation{Entry: pending, WaitOver: true}, decision{302, toSource, false, reasonTimeout}},
		"pending, wait over, chained": {situation{Entry: pending, WaitOver: true, ComesBack: true}, decision{302, toSelf, false, reasonAgain}},
		"pending, chained, wait left": {situation{Entry: pending, ComesBack: true}, decision{0, nowhere, false, reasonWait}},
		"pending, stopping":           {situation{Entry: pending, Stopping: true, ComesBack: true}, decision{302, toSource, false, reasonStop}},
		"pending, client gone":        {situation{Entry: pending, Gone: true}, decision{302, toSource, false, reasonGone}},
		"too many waiters":            {situation{Entry: pending, Limit: flight.LimitWaiters, WaitOver: true}, decision{302, toSource, false, reasonLimited}},
		"limited, chained":            {situation{Limit: flight.LimitBacklog, WaitOver: true, ComesBack: true}, decision{302, toSource, false, reasonLimited}},
		"limited while the process stops and the queue is down": {
			situation{Limit: flight.LimitHost, Stopping: true, QueueDown: true, Gone: true}, decision{302, toSource, false, reasonLimited},
		},
		"client at its rate":             {situation{Limit: flight.LimitClient, AtLimit: AtLimitSource}, decision{302, toSource, false, reasonLimited}},
		"client at its rate, refused":    {situation{Limit: flight.LimitClient, AtLimit: AtLimitRefuse}, decision{429, nowhere, false, reasonLimited}},
		"client's waiters, refused":      {situation{Limit: flight.LimitWaitersPerClient, AtLimit: AtLimitRefuse}, decision{429, nowhere, false, reasonLimited}},
		"host at its rate, refused":      {situation{Limit: flight.LimitHost, AtLimit: AtLimitRefuse}, decision{503, nowhere, false, reasonLimited}},
		"backlog, refused":               {situation{Limit: flight.LimitBacklog, AtLimit: AtLimitRefuse}, decision{503, nowhere, false, reasonLimited}},
		"too many waiters, refused":      {situation{Entry: pending, Limit: flight.LimitWaiters, AtLimit: AtLimitRefuse}, decision{503, nowhere, false, reasonLimited}},
		"object's waiters, refused":      {situation{Entry: pending, Limit: flight.LimitWaitersPerObject, AtLimit: AtLimitRefuse}, decision{503, nowhere, false, reasonLimited}},
		"limited, and a 404 meanwhile":   {situation{Entry: gone, Limit: flight.LimitBacklog, AtLimit: AtLimitRefuse}, decision{404, nowhere, false, reasonSource}},
		"below all limits":               {situation{Limit: flight.None, AtLimit: AtLimitRefuse}, decision{0, nowhere, true, reasonWait}},
		"transient error":                {situation{Entry: transient}, decision{0, nowhere, false, reasonWait}},
		"transient error, wait over":     {situation{Entry: transient, WaitOver: true}, decision{302, toSource, false, reasonTimeout}},
		"transient error, wait in vain":  {situation{Entry: transient, InVain: true}, decision{302, toSource, false, reasonFailed}},
		"pending, after a wait in vain":  {situation{Entry: pending, InVain: true}, decision{0, nowhere, false, reasonWait}},
		"the source's 403":               {situation{Entry: forbidden, FirstLook: true}, decision{302, toSource, false, reasonFailed}},
		"the source's 404":               {situation{Entry: gone, FirstLook: true}, decision{404, nowhere, false, reasonSource}},
		"the source's 503, permanent":    {situation{Entry: unavailable}, decision{302, toSource, false, reasonFailed}},
		"a URL that is not allowed":      {situation{Entry: refused, WaitOver: true}, decision{403, nowhere, false, reasonRefused}},
		"an object that can't be copied": {situation{Entry: truncated}, decision{302, toSource, false, reasonFailed}},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, tc.want, decide(tc.situation))

			// On the mirror route, clients get the copy or the source.
			tc.situation.Mirror = true
			want := tc.want
			if want.Status != 0 && want.To != toCopy {
				want.Status, want.To = 302, toSource
			}
			require.Equal(t, want, decide(tc.situation))
		})
	}
}
