// Command bench measures what many tracks cost: on a whole control plane, whose nodes are
// kwok's and run no containers, it rolls all tracks out at once, leaves them alone, and
// restarts the operator. It prints tables for docs/benchmarks.md, and fails where a budget
// of counts is missed: seconds, bytes and processors are told and not judged.
//
//	make bench TRACKS=100,1000,5000
//	make bench TRACKS=100 PROFILES=profiles   # and profiles of the operator
//
// Each size has a control plane of its own. Its tracks are blue/green, with one component of
// one replica, one HTTPRoute and one warm release, perNamespace of them to a namespace. The
// operator is a program with the roles of config/rbac, whose requests are read from the API
// server's audit log.
package main
