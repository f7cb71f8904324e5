// Package admission tries, against a real API server with our CRDs, policies and
// webhook, what must be refused, and what must keep working.
package admission
