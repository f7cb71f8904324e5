// Package fleet knows which rollouts are under way, and which wait for their turn, where
// a limit says how many may be at once: in a namespace, or in all of them.
//
// The logs tell it. A track waits from its record TurnAwaited on, and is under way from
// TurnTaken until its attempt ends; its newest record says which. A Book is what the
// newest records of all tracks say, and nothing else: it is fed by the watches of records
// and tracks, is whole before the first track is moved, and after a restart, or with
// another leader, is what it was.
//
// Whose turn is it? A free place goes to the namespace with the fewest rollouts under way,
// of two to the one whose first has waited longer; within a namespace to whoever has waited
// longest. One that publishes a thousand releases takes no place of another's one.
//
//	limit of all: 3        under way        wait, the oldest first
//	namespace shop         cart pay         web search ads mail
//	namespace bank         .                ledger
//	                                        next: bank/ledger, then shop/web
//
// No limit is passed by one operator: between the look that finds a place free and the
// record that takes it, the place is kept (Take). It can be passed for a while by what never
// waits (rollout.ReasonTurnCome says which), when a limit is set, by what has begun and was
// not looked at since, and when leaders change: by what the former one was about to append,
// one record at most for each track that it moves at once, or had appended and the cache of
// the next one does not show yet. A limit is of load, and nothing is wrong by that: nobody
// begins until enough have ended.
//
// What is asked about one track takes a time that grows with the namespaces in which
// tracks wait, and not with the tracks or the cluster.
package fleet
