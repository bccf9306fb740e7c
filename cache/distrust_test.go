package cache_test

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/cache/cachetest"
)

// openOwn opens a redis that the test may break. It counts undecodable entries.
func openOwn(t *testing.T, o cache.Options) (*cache.Redis, *redis.Client, *atomic.Int64) {
	t.Helper()
	url, server := ownRedis(t)
	undecodable := new(atomic.Int64)
	o.Undecodable = func() { undecodable.Add(1) }
	c, err := cache.Open(url, o)
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return c, server, undecodable
}

// TestInsaneEntriesAreUndecodable edits a valid value. The control is the value without an edit.
func TestInsaneEntriesAreUndecodable(t *testing.T) {
	c, server, undecodable := openOwn(t, cache.Options{Rules: cachetest.Rules()})
	now := time.Now()
	present := `present {"i":"ID","d":DEADLINE,"e":EXPIRES,"s":5,"sha256":"` + strings.Repeat("ab", 32) + `"}`
	pending := `pending {"i":"ID","d":DEADLINE,"owner":"me","done":1,"total":-1}`
	failed := `error {"i":"ID","d":DEADLINE,"class":"BadHTTPStatus","status":404,"aboutObject":true,"permanent":true,"text":"x"}`
	unixMilli := func(d time.Duration) string { return fmt.Sprint(now.Add(d).UnixMilli()) }
	for name, tc := range map[string]struct {
		value, old, new string
		sane            bool
	}{
		"control: present":                   {present, "", "", true},
		"control: pending":                   {pending, "", "", true},
		"control: error":                     {failed, "", "", true},
		"control: unknown field":             {present, `"s":5`, `"s":5,"later":1`, true},
		"control: pending, an attempt":       {pending, `"done":1`, `"done":1,"attempts":2,"next":NEXT`, true},
		"control: error, attempts":           {failed, `"text":"x"`, `"text":"x","attempts":8,"next":NEXT`, true},
		"no identity":                        {present, `"i":"ID",`, ``, false},
		"another identity":                   {present, `ID`, `AAAAAAAA`, false},
		"present beyond its TTL":             {present, `DEADLINE`, unixMilli(time.Hour + 2*time.Minute), false},
		"lease beyond 60 s":                  {pending, `DEADLINE`, unixMilli(3 * time.Minute), false},
		"error beyond all TTLs":              {failed, `DEADLINE`, unixMilli(3 * time.Hour), false},
		"small object beyond the TTL":        {failed, `DEADLINE,"class":"BadHTTPStatus","status":404,"aboutObject":true`, unixMilli(90*time.Minute) + `,"class":"SourceTooSmall"`, false},
		"deadline in the year 292 million":   {present, `DEADLINE`, `9223372036854775807`, false},
		"deadline that overflows":            {present, `DEADLINE`, `92233720368547758070`, false},
		"negative deadline":                  {present, `DEADLINE`, `-1`, false},
		"deadline after the copy's end":      {present, `EXPIRES`, fmt.Sprint(now.Add(time.Second).Unix()), false},
		"negative end":                       {present, `EXPIRES`, `-1`, false},
		"end that overflows":                 {present, `EXPIRES`, `9223372036854775807`, false},
		"negative size":                      {present, `"s":5`, `"s":-5`, false},
		"huge size":                          {present, `"s":5`, `"s":9000000000000000000`, false},
		"fraction":                           {present, `"s":5`, `"s":5.5`, false},
		"digest that is too short":           {present, `abab`, `ab`, false},
		"digest in upper case":               {present, `abab`, `ABAB`, false},
		"digest with other characters":       {present, `abab`, `../.`, false},
		"present with an owner":              {present, `"s":5`, `"s":5,"owner":"x"`, false},
		"present with a class":               {present, `"s":5`, `"s":5,"class":"BadHTTPStatus"`, false},
		"pending with a status":              {pending, `"done":1`, `"done":1,"status":404`, false},
		"negative attempts":                  {pending, `"done":1`, `"done":1,"attempts":-1`, false},
		"attempts that overflow":             {pending, `"done":1`, `"done":1,"attempts":2147483648`, false},
		"negative next attempt":              {pending, `"done":1`, `"done":1,"next":-1`, false},
		"next attempt after the year 9999":   {pending, `"done":1`, `"done":1,"next":253402300800000`, false},
		"present with an attempt":            {present, `"s":5`, `"s":5,"attempts":1`, false},
		"present with a next attempt":        {present, `"s":5`, `"s":5,"next":NEXT`, false},
		"long owner":                         {pending, `"me"`, `"` + strings.Repeat("x", 513) + `"`, false},
		"negative progress":                  {pending, `"done":1`, `"done":-1`, false},
		"total below -1":                     {pending, `"total":-1`, `"total":-2`, false},
		"total that overflows":               {pending, `"total":-1`, `"total":9223372036854775807`, false},
		"status of no class":                 {failed, `404`, `600`, false},
		"negative status":                    {failed, `404`, `-404`, false},
		"a redirect about the object":        {failed, `404`, `302`, false},
		"a server's error about the object":  {failed, `404`, `500`, false},
		"another class about the object":     {failed, `BadHTTPStatus`, `SourceTooLarge`, false},
		"error with an owner":                {failed, `"text":"x"`, `"text":"x","owner":"x"`, false},
		"value above the limit":              {failed, `"x"`, `"` + strings.Repeat("x", cache.MaxValue) + `"`, false},
		"text after the value":               {present, `"}`, `"} {}`, false},
		"unknown state":                      {present, `present`, `gone`, false},
		"no state":                           {present, `present`, ``, false},
		"a copy's fields in a pending entry": {present, `present`, `pending`, false},
	} {
		t.Run(name, func(t *testing.T) {
			key := cachetest.Key(t.Name())
			value := strings.NewReplacer("ID", cache.Identity(key), "DEADLINE", unixMilli(50*time.Second),
				"NEXT", unixMilli(10*time.Second), "EXPIRES", fmt.Sprint(now.Add(time.Hour).Unix())).Replace(strings.Replace(tc.value, tc.old, tc.new, 1))
			require.NoError(t, server.Set(t.Context(), key, value, 0).Err())
			before := undecodable.Load()
			e, err := c.Get(t.Context(), key)
			require.NoError(t, err)
			if tc.sane {
				require.NotEqual(t, cache.Absent, e.State)
				require.Equal(t, before, undecodable.Load())
				return
			}
			require.Equal(t, cache.Absent, e.State)
			require.Equal(t, before+1, undecodable.Load())
			require.Zero(t, server.Exists(t.Context(), key).Val())
		})
	}
}

// TestAValueUnderAnotherKeyIsUndecodable copies an entry to another object, bucket and deployment.
func TestAValueUnderAnotherKeyIsUndecodable(t *testing.T) {
	c, server, undecodable := openOwn(t, cache.Options{Rules: cachetest.Rules()})
	from := cachetest.Key("a")
	require.NoError(t, c.Put(t.Context(), from, 0, cachetest.Rules().Present(time.Now(), cache.Copy{})))
	for name, to := range map[string]string{
		"object":     cachetest.Key("b"),
		"bucket":     cache.NewSpace("cm", "s3_test", "", "other").Key("a"),
		"endpoint":   cache.NewSpace("cm", "s3_test", "http://localhost", "bucket").Key("a"),
		"deployment": cache.NewSpace("cm2", "s3_test", "", "bucket").Key("a"),
	} {
		require.NoError(t, server.Copy(t.Context(), from, to, 0, true).Err())
		before := undecodable.Load()
		e, err := c.Get(t.Context(), to)
		require.NoError(t, err)
		require.Equal(t, cache.Absent, e.State, name)
		require.Equal(t, before+1, undecodable.Load(), name)
	}
	e, err := c.Get(t.Context(), from)
	require.NoError(t, err)
	require.Equal(t, cache.Present, e.State, "control: the entry at its own key")
}

func TestAnUnknownClassIsInternal(t *testing.T) {
	c, _, undecodable := openOwn(t, cache.Options{Rules: cachetest.Rules()})
	for class, want := range map[string]string{
		"<script>alert(1)</script>": cache.ClassInternal, "LaterClass": cache.ClassInternal, "": cache.ClassInternal,
		cache.ClassTooSmall: cache.ClassTooSmall, "SourceTruncated": "SourceTruncated",
	} {
		key := cachetest.Key(class)
		require.NoError(t, c.Put(t.Context(), key, 0, cachetest.Rules().Failed(time.Now(), cache.Reason{Class: class})))
		e, err := c.Get(t.Context(), key)
		require.NoError(t, err)
		require.Equal(t, cache.Error, e.State)
		require.Equal(t, want, e.Class)
	}
	require.Zero(t, undecodable.Load())
}

// junk returns values that no build writes: of all types, and of 100 MB.
func junk(t *testing.T, server *redis.Client) map[string]func(key string) error {
	t.Helper()
	return map[string]func(key string) error{
		"list": func(key string) error { return server.RPush(t.Context(), key, "a", "b").Err() },
		"hash": func(key string) error { return server.HSet(t.Context(), key, "a", "b").Err() },
		"set":  func(key string) error { return server.SAdd(t.Context(), key, "a", "b").Err() },
		"zset": func(key string) error { return server.ZAdd(t.Context(), key, redis.Z{Member: "a"}).Err() },
		"stream": func(key string) error {
			return server.XAdd(t.Context(), &redis.XAddArgs{Stream: key, Values: []string{"a", "b"}}).Err()
		},
		"100 MB":   func(key string) error { return server.SetRange(t.Context(), key, 100<<20-1, "x").Err() },
		"too long": func(key string) error { return server.SetRange(t.Context(), key, cache.MaxValue, "x").Err() },
	}
}

// TestJunkIsCountedAndDeleted checks that no call fails or waits because of junk at one of an
// object's keys.
func TestJunkIsCountedAndDeleted(t *testing.T) {
	c, server, undecodable := openOwn(t, cache.Options{Rules: cachetest.Rules(), Timeout: 10 * time.Second})
	now := time.Now()
	lease := cachetest.Rules().Pending(now, "me", 0, -1)
	for name, plant := range junk(t, server) {
		for call, tc := range map[string]struct {
			run     func(key string) error
			counted int64
			left    int64 // whether the key has a value afterwards
		}{
			"Get": {func(key string) error { _, err := c.Get(t.Context(), key); return err }, 1, 0},
			"Acquire": {func(key string) error {
				_, mine, err := c.Acquire(t.Context(), key, lease)
				require.True(t, mine)
				return err
			}, 1, 1},
			"Put": {func(key string) error {
				return c.Put(t.Context(), key, 0, cachetest.Rules().Failed(now, cache.Reason{Class: "SourceTruncated"}))
			}, 0, 1},
			"Purge": {func(key string) error { _, err := c.Purge(t.Context(), key); return err }, 0, 0},
			"Swap": {func(key string) error {
				done, err := c.Swap(t.Context(), key, lease, lease)
				require.False(t, done)
				return err
			}, 0, 1},
			"Drop": {func(key string) error {
				done, err := c.Drop(t.Context(), key, lease)
				require.False(t, done)
				return err
			}, 0, 1},
			"Abandon": {func(key string) error { return c.Abandon(t.Context(), key) }, 0, 1},
		} {
			key := cachetest.Key(name + call)
			require.NoError(t, plant(key))
			before := undecodable.Load()
			require.NoError(t, tc.run(key), "%s of a %s", call, name)
			require.Equal(t, before+tc.counted, undecodable.Load(), "%s of a %s", call, name)
			require.Equal(t, tc.left, server.Exists(t.Context(), key).Val(), "%s of a %s", call, name)
		}
		t.Run(name+" as generation", func(t *testing.T) {
			key := cachetest.Key(t.Name())
			require.NoError(t, plant(key+":generation"))
			g, err := c.Generation(t.Context(), key)
			require.NoError(t, err)
			require.Zero(t, g)
			require.NoError(t, c.Put(t.Context(), key, 0, lease))
			g, err = c.Purge(t.Context(), key)
			require.NoError(t, err)
			require.InDelta(t, time.Now().UnixMilli(), g, 60_000)
			require.ErrorIs(t, c.Put(t.Context(), key, 0, lease), cache.ErrPurged, "control: the purge counts")
		})
		t.Run(name+" as row", func(t *testing.T) {
			key := cachetest.Key(t.Name())
			require.NoError(t, plant(key+":row"))
			row, err := c.Failures(t.Context(), key, "SourceTruncated", "run", time.Hour)
			require.NoError(t, err)
			require.Equal(t, cache.Row{All: 1, Same: 1}, row)
			require.NoError(t, c.Put(t.Context(), key, 0, cachetest.Rules().Present(now, cache.Copy{})))
			require.NoError(t, plant(key+":row"))
			_, err = c.Purge(t.Context(), key)
			require.NoError(t, err)
		})
		t.Run(name+" as claim", func(t *testing.T) {
			key := cachetest.Key(t.Name())
			require.NoError(t, plant(key+":verified"))
			left, err := c.Claim(t.Context(), key, 20*time.Millisecond)
			require.NoError(t, err)
			require.Equal(t, 20*time.Millisecond, left)
			require.Eventually(t, func() bool {
				left, err := c.Claim(t.Context(), key, 20*time.Millisecond)
				require.NoError(t, err)
				return left == 0
			}, 5*time.Second, time.Millisecond, "the claim is taken for ever")
		})
		t.Run(name+" as backlog", func(t *testing.T) {
			require.NoError(t, c.PutBacklog(t.Context(), "sane", cache.Backlog{Tasks: 1}, time.Minute))
			require.NoError(t, plant("cm:2:backlog:{pools}:"+t.Name()))
			all, err := c.Backlogs(t.Context(), []string{t.Name(), "sane"})
			require.NoError(t, err)
			require.Len(t, all, 1)
			require.NoError(t, c.PutBacklog(t.Context(), t.Name(), cache.Backlog{}, time.Minute))
		})
	}
}

func TestBogusGenerationsCountAsNone(t *testing.T) {
	c, server, undecodable := openOwn(t, cache.Options{})
	now := time.Now()
	present := cachetest.Rules().Present(now, cache.Copy{})
	for _, text := range []string{
		"abc", "9000000000000000000", "9223372036854775807", "99999999999999999999", "1e18", "inf", "nan", "0x7fffffffffff", "-5",
		fmt.Sprint(now.Add(2 * time.Hour).UnixMilli()), strings.Repeat("9", 1000), " 5", "5\n",
	} {
		key := cachetest.Key(text)
		require.NoError(t, server.Set(t.Context(), key+":generation", text, 0).Err())
		before := undecodable.Load()
		g, err := c.Generation(t.Context(), key)
		require.NoError(t, err)
		require.Zero(t, g, text)
		require.Equal(t, before+1, undecodable.Load(), text)
		require.NoError(t, c.Put(t.Context(), key, 0, present), text)
		purged, err := c.Purge(t.Context(), key)
		require.NoError(t, err)
		require.InDelta(t, time.Now().UnixMilli(), purged, 60_000, text)
		require.ErrorIs(t, c.Put(t.Context(), key, purged-1, present), cache.ErrPurged, "control: the purge counts")
		require.NoError(t, c.Put(t.Context(), key, purged, present), text)
	}
	// A clock may be wrong by some minutes.
	key, ahead := cachetest.Key("ahead"), now.Add(30*time.Minute).UnixMilli()
	require.NoError(t, server.Set(t.Context(), key+":generation", ahead, 0).Err())
	require.ErrorIs(t, c.Put(t.Context(), key, now.UnixMilli(), present), cache.ErrPurged)
	g, err := c.Purge(t.Context(), key)
	require.NoError(t, err)
	require.Equal(t, ahead+1, g)
}

func TestABogusRowRestarts(t *testing.T) {
	c, server, _ := openOwn(t, cache.Options{})
	sane := map[string]string{"run": "r", "class": "SourceTruncated", "all": "7", "same": "2"}
	for name, tc := range map[string]struct {
		field, value string
		want         cache.Row
	}{
		"control: a row":   {"all", "7", cache.Row{All: 8, Same: 3}},
		"huge count":       {"same", "9000000000000000000", cache.Row{All: 1, Same: 1}},
		"full count":       {"all", "9223372036854775807", cache.Row{All: 1, Same: 1}},
		"negative count":   {"all", "-3", cache.Row{All: 1, Same: 1}},
		"count of letters": {"same", "abc", cache.Row{All: 1, Same: 1}},
		"large class":      {"class", strings.Repeat("x", 1<<20), cache.Row{All: 1, Same: 1}},
		"unknown field":    {"more", "1", cache.Row{All: 1, Same: 1}},
	} {
		key := cachetest.Key(name)
		require.NoError(t, server.HSet(t.Context(), key+":row", sane).Err())
		require.NoError(t, server.HSet(t.Context(), key+":row", tc.field, tc.value).Err())
		row, err := c.Failures(t.Context(), key, "SourceTruncated", "run", time.Hour)
		require.NoError(t, err, name)
		require.Equal(t, tc.want, row, name)
		require.Positive(t, server.PTTL(t.Context(), key+":row").Val(), name)
	}
}

func TestABogusBacklogIsUnknown(t *testing.T) {
	c, server, _ := openOwn(t, cache.Options{})
	until := fmt.Sprint(time.Now().Add(time.Minute).UnixMilli())
	for text, known := range map[string]bool{
		`{"tasks":5,"age":7,"until":` + until + `}`:                                                         true,
		`{"tasks":5,"age":7}`:                                                                               false,
		`{"tasks":-5,"age":7,"until":` + until + `}`:                                                        false,
		`{"tasks":9000000000000000000,"age":7,"until":` + until + `}`:                                       false,
		`{"tasks":5,"age":9000000000000000000,"until":` + until + `}`:                                       false,
		`{"tasks":5,"age":7,"rate":-1,"until":` + until + `}`:                                               false,
		`{"tasks":5,"age":7,"until":9000000000000000000}`:                                                   false,
		`{"tasks":5,"age":7,"until":` + fmt.Sprint(time.Now().Add(-time.Second).UnixMilli()) + `}`:          false,
		`{"tasks":5,"age":7,"until":` + until + `,"x":"` + strings.Repeat("x", 300) + `"}`:                  false,
		`{"tasks":5,"age":7,"until":` + fmt.Sprint(time.Now().Add(24*time.Hour).UnixMilli()) + `,"rate":1}`: false,
	} {
		require.NoError(t, server.Set(t.Context(), "cm:2:backlog:{pools}:p", text, 0).Err())
		all, err := c.Backlogs(t.Context(), []string{"p"})
		require.NoError(t, err)
		require.Len(t, all, map[bool]int{true: 1}[known], text)
	}
}

// TestALongClaimIsShortened has a claim whose time to live is above that of every caller.
func TestALongClaimIsShortened(t *testing.T) {
	c, server, _ := openOwn(t, cache.Options{})
	key := cachetest.Key("a")
	require.NoError(t, server.Set(t.Context(), key+":verified", "x", time.Hour).Err())
	left, err := c.Claim(t.Context(), key, time.Minute)
	require.NoError(t, err)
	require.Equal(t, time.Minute, left)
	require.LessOrEqual(t, server.PTTL(t.Context(), key+":verified").Val(), time.Minute)
}

// TestALongBacklogIsBounded stores a backlog for longer than its limit: it is known, and expires.
func TestALongBacklogIsBounded(t *testing.T) {
	c, server, _ := openOwn(t, cache.Options{})
	require.NoError(t, c.PutBacklog(t.Context(), "p", cache.Backlog{Tasks: 1}, time.Hour))
	all, err := c.Backlogs(t.Context(), []string{"p"})
	require.NoError(t, err)
	require.Len(t, all, 1)
	left := server.PTTL(t.Context(), "cm:2:backlog:{pools}:p").Val()
	require.Positive(t, left)
	require.LessOrEqual(t, left, 5*time.Minute)
}
