// Package operator puts the parts of Strata together in one manager: the scheme,
// the caches and what they may hold, the client and its count of writes, metrics,
// health, leader election, the reconciler and the guards.
//
//	cmd/manager  flags -> Options -> New -> Start
//
// Replicas that do not lead still answer admission requests and metrics.
package operator
