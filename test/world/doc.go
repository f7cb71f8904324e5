// Package world is a cluster in memory with a clock of its own: releases,
// Deployments, Services, Jobs and routers that behave as a script says. It is what
// the planner's tests run against.
//
//	   Script (pods, tests), users
//	              |
//	 Step      World  <------ Planner.Act: one write
//	(the ----->   |               ^
//	cluster)   Cache ----> rollout.Compute
//
// A Planner sees the world through a Cache, kind by kind as old as it was last
// synced, and writes one object at a time under the resourceVersion that it saw:
// so a test can let two of them interleave, pause between a thought and its write,
// or crash. World.Check and the write itself hold what must never break.
package world
