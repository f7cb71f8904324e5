package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// mutant is one deliberate fault: a text of a source file, and what becomes of it.
type mutant struct {
	name string
	// wrong is the fault in words: what such an operator would do.
	wrong string
	file  string
	// text stands exactly once in the file.
	text    string
	becomes string
	// finders look for it in this order, until one has found it.
	finders []finder
}

// table is all mutants, in the order in which they are planted.
func table() []mutant {
	return slices.Concat(planner, rules, loop, answering, parts, edges, trusting, guarding)
}

// finder is some tests of a package.
type finder struct {
	// kind of tests, in words.
	kind string
	pkg  string
	args []string
}

// The tests of the planner, without and with random worlds; few worlds are tried
// before many.
var (
	stories    = finder{"planner tests and stories", "./controllers/rollout", []string{"-test.skip=^(TestExplore|TestEveryRestart|TestLateLeader)$"}}
	restarts   = finder{"restarts and late leaders", "./controllers/rollout", []string{"-test.run=^(TestEveryRestart|TestLateLeader)$"}}
	fewWorlds  = finder{"random worlds", "./controllers/rollout", []string{"-test.run=^TestExplore$", "-worlds=200"}}
	manyWorlds = finder{"random worlds", "./controllers/rollout", []string{"-test.run=^TestExplore$", "-worlds=600"}}

	planning = []finder{stories, restarts, fewWorlds, manyWorlds}
	// What measures costs, and random worlds, take longer than all the rest.
	looping = []finder{
		{"tests of the loop", "./controllers", []string{"-test.skip=^(TestStatusesAreLinear|TestKstatusOfRandomWorlds|" + wholeRollouts + ")$"}},
		{"tests of the loop", "./controllers", []string{"-test.run=^(" + wholeRollouts + ")$"}},
	}
	// The providers' other tests need an API server.
	byLegs     = []finder{{"tests of legs", "./controllers/traffic/providers", []string{"-test.run=^Test.*Legs"}}}
	previewing = []finder{{"tests of previews", "./controllers/traffic/providers", []string{"-test.run=^TestPreviews"}}}
	routing    = []finder{{"tests of the routes", "./controllers/traffic/providers", []string{"-test.run=^TestRoutes"}}}
)

// wholeRollouts are the tests of the loop that take longest.
const wholeRollouts = "TestAutoscaledRelease|TestHeldFailureStalls|TestRetention|TestLostRecords|TestQueuedReleaseSaysWhatItWaitsFor|TestWhatServesIsMarked|TestRefusedRouteKeepsNothingFromBeingMade"

// testsOf are the tests of one package.
func testsOf(pkg string) []finder {
	return []finder{{"tests of " + strings.TrimPrefix(pkg, "./"), pkg, nil}}
}

// changed is the text of the mutant's file with the fault in it. The text to change
// must be there exactly once: else the source has moved on, and the table with it.
func (m mutant) changed(root string) ([]byte, error) {
	source, err := os.ReadFile(filepath.Join(root, m.file))
	if err != nil {
		return nil, err
	}
	if n := strings.Count(string(source), m.text); n != 1 {
		return nil, fmt.Errorf("the text to change stands %d times in %s: bring hack/mutants up to date", n, m.file)
	}
	return []byte(strings.Replace(string(source), m.text, m.becomes, 1)), nil
}
