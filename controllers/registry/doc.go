// Package registry asks registries about images: whether one is there, what it is,
// and which platforms it has; and for the signatures that are stored beside it. It
// reads alone.
//
//	client.go       a Client for all, and a Session for each check of a release
//	image.go        what an image is, and whether nodes can run it
//	access.go       which hosts may be asked how, and which addresses never
//	transport.go    every request: scheme, address, size, deadline, Retry-After
//	credentials.go  the pull secrets of a release's namespace, and no others
//	errors.go       Refused or Unknown, each with a reason and a message
//
// What an author of a release writes names the hosts that the operator talks to, and
// so do the answers of those hosts: redirects, token servers, DNS. Therefore the
// address is judged when a connection is made, after every name was resolved, and
// a connection is never shared by sessions that may do different things. No proxy is
// used: behind one, nobody here would see the address.
//
// A registry that is down tells nothing of an image: Unknown. Only what a registry
// answers, or what may not be asked, is Refused.
package registry
