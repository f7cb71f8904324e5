// Package upkeep keeps the guards as they were installed: policies cannot guard
// themselves through the API, so who may write them can switch them off.
//
// What was installed is what the operator was built with, with the few expressions that
// an installation says in a ConfigMap beside the operator (guards.InstallationName):
// without that ConfigMap nobody knows what was installed, and nothing is touched.
// Whatever differs is told by an event about the object, a log line, a metric and a record
// of the guards' own log (guards.LogName), and is written again; what was changed more than
// three times in an hour is left for an hour. That is counted by the process that leads,
// and a restart counts anew.
//
// At the end of each look the condition Drifted of each ValidatingAdmissionPolicy says what
// is so of it and of the guards that it is the home of (report.go). It is told, and nothing
// is decided from it.
package upkeep
