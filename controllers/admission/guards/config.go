package guards

// config is what a release was sealed with.
var config = []Route{
	{
		Name: "strata-snapshots", Ways: "kubectl edit, patch, label of a copy of configuration",
		Targets:     []Target{core("configmaps", "secrets")},
		Operations:  operations(update),
		Only:        ownedByRelease,
		Controllers: []string{garbageCollector},
		Variables:   variables(releaseOf),
		Rules: []Rule{frozenRule("STRATA-026", "snapshot", sameData,
			"Change the ConfigMap or Secret that it is a copy of, and publish a new ImmutableRelease.").invalid("data, binaryData, immutable, and the type of a Secret: to the API server it is immutable too", "!("+sameData+")")},
	},
	{
		Name: "strata-seals", Ways: "kubectl edit, patch, label of a seal",
		Targets:     apps("controllerrevisions"),
		Operations:  operations(update),
		Only:        ownedByRelease,
		Controllers: []string{garbageCollector},
		Variables:   variables(releaseOf),
		Rules:       []Rule{frozenRule("STRATA-027", "seal", sameData, publishInstead).invalid("data: to the API server it is immutable too", `object.?data != oldObject.?data`)},
	},
}
