package capacity

import (
	"flag"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the tables into deploy/CAPACITY.md")

const pageFile = "../../CAPACITY.md"

// TestPageHasTheComputedTables compares the tables of the page with the computation.
func TestPageHasTheComputedTables(t *testing.T) {
	data, err := os.ReadFile(pageFile)
	if err != nil {
		t.Fatal(err)
	}
	page := string(data)
	for name, table := range Tables() {
		if page, err = Replace(page, name, table); err != nil {
			t.Fatal(err)
		}
	}
	if *update {
		if err := os.WriteFile(pageFile, []byte(page), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if page != string(data) {
		t.Error("deploy/CAPACITY.md is not current, run in deploy/bench: go test -p 1 ./capacity ./simulate -update")
	}
}

func TestReplaceNeedsBothMarkers(t *testing.T) {
	const page = "a\n<!-- x -->\nold\n<!-- /x -->\nb"
	got, err := Replace(page, "x", "new\n")
	if want := "a\n<!-- x -->\nnew\n<!-- /x -->\nb"; err != nil || got != want {
		t.Errorf("got %q and %v, want %q", got, err, want)
	}
	for _, wrong := range []string{"", "<!-- x -->\n", "<!-- /x -->", strings.ReplaceAll(page, "x", "y")} {
		if _, err := Replace(wrong, "x", ""); err == nil {
			t.Errorf("%q has no markers, and is accepted", wrong)
		}
	}
}

func TestNumber(t *testing.T) {
	for want, v := range map[string]float64{
		"0": 0, "0.6": .6, "2.63": 2.634, "99.5": 99.46, "100": 99.96,
		"1,230": 1234, "1,000,000": 1e6, "54,400,000,000": 54432e6,
	} {
		if got := number(v); got != want {
			t.Errorf("%v is %s, want %s", v, got, want)
		}
	}
}

func TestFigureWithoutARunIsAPlaceholder(t *testing.T) {
	f := Figure{Name: "n", Value: 1, Run: "make x → y"}
	if got := f.origin(); got != "[RUN: make x → y]" {
		t.Error(got)
	}
	f.On = "2026-11-26"
	if got := f.origin(); got != "make x → y" {
		t.Error(got)
	}
	for _, f := range append(Figures(NewMeasured()), Figures(NewAssumed())...) {
		if f.Name == "" || f.Value <= 0 || f.Run == "" {
			t.Errorf("%+v lacks a name, a value or a run", f)
		}
	}
}
