// Package certs is the serving certificate of the webhook: created, rotated and
// made known to the API server with no other component needed.
//
// A Secret holds the authority and the certificate, so that all replicas of the
// operator serve the same. Every replica looks after it, leader or not, because
// every replica answers admission requests; a write carries the resourceVersion
// that was read, so of two replicas that renew at the same moment one wins, and
// the other takes what the winner wrote. Nothing is mounted: the certificate is
// served from memory.
//
//	Renew (pure)  what the Secret should hold now, and when to look again
//	Rotator       Secret -> memory -> caBundle of the webhook configurations
//
// A new authority is first made known, beside the old one, and signs only after
// SettleTime: at no moment does an API server meet a certificate that it cannot
// verify.
package certs
