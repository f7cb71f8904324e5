// Package debug is what the operator shows of itself to who looks after it, beside
// /metrics and behind the same question to the API server, by the paths below:
//
//	/strata/debug/tracks   what each track waits for, the queue and the caches, as text
//	/strata/debug/pprof/   profiles, as net/http/pprof has them
//
// The paths are Strata's own, and not /debug: who may get that of one program may get it of
// every program that asks the API server, and of the API server itself.
package debug
