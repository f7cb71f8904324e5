// Package ledger keeps the log of a track: its ReleaseRecords, in the order of
// their sequence numbers, each naming the digest of the one before.
//
//	Chain    an entry, as the record that follows the newest one
//	Append   create it: of all who try that sequence number, one succeeds
//	Confirm  is the newest record that was read still the newest?
//	Prune    which older records stay when the log is cut short
//	Read     the index that decisions are made from
//	Restorable  may this record be brought back?
//	Verify   is every record as it was written, and none missing?
//	VerifyAfter  ... of a part that follows a record which is known by its digest
//	Promotion    what a log says of a promotion, for another cluster
//	Signer, Verifier  sign and verify exports and promotions
//
// A record is only ever created. Whoever loses the race for a sequence number gets
// ErrLost, reads again and decides anew; so a leader with a stale cache commits
// nothing. The digest of a record is sha256 over "strata/1 record\n" and the
// canonical JSON (RFC 8785) of its spec without the digest itself.
package ledger
