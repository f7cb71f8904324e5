package main

import (
	"slices"
	"testing"
)

// An operator whose collector does not know the limit of its memory is killed when twice as
// much as it needs is above that.
func TestTheCollectorKnowsTheLimit(t *testing.T) {
	collects, err := asDeployed("../..")
	if err != nil {
		t.Fatal(err)
	}
	if want := "GOMEMLIMIT=1073741824"; !slices.Contains(collects, want) {
		t.Errorf("the operator is deployed with %q, want %q: 1Gi", collects, want)
	}
}
