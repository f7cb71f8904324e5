// Package guards is the table of what must not change, and who may try. Policies
// that the API server decides by itself, and the configuration of the webhook,
// are made from it:
//
//	identity.go     who the operator is, and which controllers must keep working
//	policies.go     THE TABLE: a row for each guarded route
//	webhooks.go     what is sent to the webhook, and what is not
//	render.go       rows -> ValidatingAdmissionPolicies and their bindings
//	manifests.go    all of it as the files of config/policies and config/webhook
//
// The policies come first: they hold while the operator is down, and cost
// microseconds. The webhook answers for what needs a look at other objects.
//
// After a change: go generate ./controllers/admission/...
package guards

//go:generate go run ../../../hack/guards -root ../../..
