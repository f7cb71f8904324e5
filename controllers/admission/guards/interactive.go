package guards

import "github.com/strata-release/strata/api/v1alpha1"

// opened is true for a request to which interactive access may be opened: THE place for
// an exception. A CONNECT does not show the pod, and a policy has no clock: the operator
// notes on the namespace what is open, and who is let through here is asked about by the
// webhook, which looks at the pod, the time and the policies, and writes the use down.
// With the operator gone, that fails, and all is closed.
var opened = variable("opened", `namespaceObject.metadata.?annotations.orValue({}).exists(k, k.startsWith('`+v1alpha1.AnnotationOpenedPrefix+`') && `+
	`namespaceObject.metadata.annotations[k].split('\n').map(l, l.split(' ', 4)).exists(p, p.size() == 4 && p[3] == request.userInfo.username && request.name.startsWith(p[0] + '-')))`)

const openInstead = `Read logs, which stay open, or publish a new ImmutableRelease that tells more. A ReleaseAction BreakGlass opens the pods of one release for a time, where a ReleasePolicy lets you: see docs/break-glass.md.`

// debugPrivilege is the capability that kubectl debug adds to see other processes.
const debugPrivilege = "SYS_PTRACE"

// interactive are the ways into a running container. What is named by a CONNECT is
// not shown to a policy: the namespace decides. A debugging container is an update of
// its pod, which is known by its labels.
var interactive = []Route{
	{
		Name: "strata-interactive", Ways: "kubectl exec, attach, cp, port-forward",
		Targets:    []Target{core("pods/exec", "pods/attach", "pods/portforward")},
		Operations: operations(connect),
		Webhook:    PathAccess, WebhookName: "interactive.strata.dev", Guarded: true, Notes: true,
		Variables: variables(opened),
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
		Rules: []Rule{{
			ID:         "STRATA-051",
			Expression: `!(` + inGuarded + `)`,
			Says:       "the pods and Services of a guarded namespace are not reached by the API server",
			Detail:     `request.resource.resource + '/' + request.name + ' is in namespace ' + request.namespace + ', which is guarded: its pods and Services are not reached by way of the API server'`,
			Instead:    "Ask them where their users do, or read logs. A BreakGlass opens port-forward, and not this.",
		}},
	},
	{
		Name: "strata-debug", Ways: "kubectl debug",
		Targets:    []Target{core("pods/ephemeralcontainers")},
		Operations: operations(update),
		Only:       labelledByRelease,
		Webhook:    PathAccess, WebhookName: "debug.strata.dev", Notes: true,
		Variables: variables(releaseOf, opened),
		Rules: []Rule{
			{
				ID:         "STRATA-019",
				Expression: sameMetadata + ` && (variables.opened || ` + sameSpec + `)`,
				Says:       "this pod belongs to a release, and gets no container for debugging",
				Detail:     belongs("pod", ", and gets no container for debugging"),
				Instead:    openInstead,
			},
			{
				// What is opened is the release, and not its node.
				ID: "STRATA-056",
				Expression: `object.spec.?ephemeralContainers.orValue([]).all(c, !c.?securityContext.?privileged.orValue(false) && ` +
					`!c.?securityContext.?windowsOptions.?hostProcess.orValue(false) && ` +
					`c.?securityContext.?procMount.orValue('Default') == 'Default' && ` +
					`c.?securityContext.?seccompProfile.?type.orValue('') != 'Unconfined' && ` +
					`c.?securityContext.?appArmorProfile.?type.orValue('') != 'Unconfined' && ` +
					`c.?securityContext.?capabilities.?add.orValue([]).all(a, a == '` + debugPrivilege + `'))`,
				Says:    "a container for debugging is not privileged, nor unconfined, and adds no capability but " + debugPrivilege,
				Detail:  belongs("pod", ": a container for debugging is not privileged there, nor unconfined, and adds no capability but "+debugPrivilege),
				Instead: "Use kubectl debug with its profile general, or restricted where a ReleasePolicy denies releases what that has.",
			},
		},
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
