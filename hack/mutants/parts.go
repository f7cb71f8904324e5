package main

// ledgerDir is the package of the log.
const ledgerDir = "controllers/ledger"

// parts are faults in the packages that the loop is made of.
var parts = []mutant{
	{"lost-race-won", "takes a record that another leader wrote for its own", ledgerDir + "/store.go",
		`if apierrors.IsAlreadyExists(err) {`, `if apierrors.IsAlreadyExists(err) { return record, nil }; if false {`, testsOf("./" + ledgerDir)},
	{"newer-record-unseen", "takes a newer record for no reason to start over", ledgerDir + "/store.go",
		"case err == nil:\n\t\treturn fmt.Errorf(\"confirm the log of track %s: %w\", key, ErrLost)", "case err == nil:\n\t\treturn nil", testsOf("./" + ledgerDir)},
	{"outage-confirms", "takes an API server that does not answer for one that has no newer record", ledgerDir + "/store.go",
		`case apierrors.IsNotFound(err):`, `case true:`, testsOf("./" + ledgerDir)},
}
