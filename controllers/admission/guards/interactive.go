package guards

// opened is true for a request to which interactive access was opened: THE place for
// an exception, by which rule and variable alike all rows of this file go. Nothing
// opens it yet.
var opened = variable("opened", "false")

const openInstead = `Read logs, which stay open, or publish a new ImmutableRelease that tells more. Nothing opens access for a time yet.`

// interactive are the ways into a running container. What is named by a CONNECT is
// not shown to a policy: the namespace decides. A debugging container is an update of
// its pod, which is known by its labels.
var interactive = []Route{
	{
		Name: "strata-interactive", Ways: "kubectl exec, attach, cp, port-forward",
		Targets:    []Target{core("pods/exec", "pods/attach", "pods/portforward")},
		Operations: operations(connect),
		Variables:  variables(opened),
		Rules: []Rule{{
			ID:         "STRATA-050",
			Expression: `!(` + inGuarded + `) || variables.opened`,
			Says:       "nobody enters the pods of a guarded namespace: what was touched is no longer what was released",
			Detail:     `'pod ' + request.name + ' is in namespace ' + request.namespace + ', which is guarded: nobody enters its pods, for what was touched is no longer what was released'`,
			Instead:    openInstead,
		}},
	},
	{
		Name: "strata-proxies", Ways: "kubectl proxy to a pod or a Service",
		Targets:    []Target{core("pods/proxy", "services/proxy")},
		Operations: operations(connect),
		Variables:  variables(opened),
		Rules: []Rule{{
			ID:         "STRATA-051",
			Expression: `!(` + inGuarded + `) || variables.opened`,
			Says:       "the pods and Services of a guarded namespace are not reached by the API server",
			Detail:     `request.resource.resource + '/' + request.name + ' is in namespace ' + request.namespace + ', which is guarded: its pods and Services are not reached by way of the API server'`,
			Instead:    "Ask them where their users do, or read logs. Nothing opens access for a time yet.",
		}},
	},
	{
		Name: "strata-debug", Ways: "kubectl debug",
		Targets:    []Target{core("pods/ephemeralcontainers")},
		Operations: operations(update),
		Only:       labelledByRelease,
		Variables:  variables(releaseOf, opened),
		Rules: []Rule{{
			ID:         "STRATA-019",
			Expression: `variables.opened || (` + sameSpec + ` && ` + sameMetadata + `)`,
			Says:       "this pod belongs to a release, and gets no container for debugging",
			Detail:     belongs("pod", ", and gets no container for debugging"),
			Instead:    openInstead,
		}},
	},
	{
		Name: "strata-kubelets", Ways: "kubectl get --raw /api/v1/nodes/NODE/proxy/exec/...",
		Targets:    []Target{core("nodes/proxy")},
		Operations: operations(connect),
		Everywhere: true,
		Rules: []Rule{{
			ID:         "STRATA-052",
			Expression: `!object.?path.orValue('').lowerAscii().split('/').exists(s, s in ['exec', 'run', 'attach', 'portforward', 'cri', 'checkpoint'])`,
			Says:       "no container is entered by way of a kubelet",
			Detail:     `'node ' + request.name + ': no container is entered by way of a kubelet'`,
			Instead:    "Metrics, statistics and logs of the node stay open.",
		}},
	},
}
