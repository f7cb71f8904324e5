// Package upgrade replaces an operator by a newer one, as its Deployment does, beside
// tracks that are settled and rollouts that are under way: two programs that render
// releases in different ways and have other defaults, on a real API server beside which
// test/stories/cluster plays the rest.
//
// The newer one is made of this very source, some lines of which are changed as it is
// built (newerSource). It must leave alone whatever the older one has sealed, and go on
// with what that began.
package upgrade
