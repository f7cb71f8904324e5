// Package seen is what the demo saw, as the picture of it needs it.
package seen

// Report of one demo. Times are in seconds since the first request.
type Report struct {
	Samples []Sample `json:"samples"`
	Marks   []Mark   `json:"marks"`
	Steps   []Step   `json:"steps"`
	// Requests and Failures count all of them, Unexpected the failures that no
	// release was to cause.
	Requests   int `json:"requests"`
	Failures   int `json:"failures"`
	Unexpected int `json:"unexpected"`
	// RollbackSeconds is from the intent until every new connection reached the
	// former release.
	RollbackSeconds float64 `json:"rollbackSeconds"`
}

// Sample counts the requests of one interval of SampleSeconds by the version that
// answered; "" is nobody.
type Sample struct {
	Time     float64        `json:"time"`
	Requests map[string]int `json:"requests"`
	Failures map[string]int `json:"failures,omitempty"`
}

// SampleSeconds is the length of the interval of a Sample.
const SampleSeconds = 0.5

// Mark is a record of the track: its event, the version it is about, and the
// weights by version after it.
type Mark struct {
	Time    float64          `json:"time"`
	Event   string           `json:"event"`
	Version string           `json:"version,omitempty"`
	Weights map[string]int32 `json:"weights,omitempty"`
}

// Step is a share that was asked for, and what was seen of it, in percent.
type Step struct {
	Version  string  `json:"version"`
	Asked    float64 `json:"asked"`
	Seen     float64 `json:"seen"`
	Requests int     `json:"requests"`
}
