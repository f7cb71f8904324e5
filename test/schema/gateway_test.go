package schema

import (
	"fmt"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// gatewayCRDs are the standard CRDs of the Gateway API, of the version that Strata is
// built with.
func gatewayCRDs(ctx SpecContext) []string {
	GinkgoHelper()
	out, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/gateway-api").Output()
	Expect(err).NotTo(HaveOccurred())
	dir := filepath.Join(strings.TrimSpace(string(out)), "config", "crd", "standard")
	return []string{
		filepath.Join(dir, "gateway.networking.k8s.io_httproutes.yaml"), filepath.Join(dir, "gateway.networking.k8s.io_grpcroutes.yaml"),
	}
}

// What a track may ask of a gateway is checked by rules of our own: upstream's count
// on defaults that a track does not have. Whatever they let through, a route object must
// take, or the rollout would stand still at a route that nobody can write.
var _ = Describe("The gatewayAPI of a route", func() {
	DescribeTable("asks for nothing that the route object refuses or drops", func(ctx SpecContext, kind string, rules string) {
		const tries = 600
		random := rand.New(rand.NewPCG(uint64(GinkgoRandomSeed()), 1))
		accepted := 0
		for i := range tries {
			asked := randomGateway(random, kind, rules)
			track := load("track")
			set(track, gateway, asked)
			if api.Create(ctx, track, client.DryRunAll) != nil {
				continue
			}
			accepted++
			route := routeObject(asked, kind, rules)
			Expect(api.Create(ctx, route, client.DryRunAll)).To(Succeed(), "try %d: %v", i, asked)
			for field, stored := range map[string]string{"parentRefs": "parentRefs", "hostnames": "hostnames", rules: "rules"} {
				Expect(missing(field, asked[field], at(route, "spec").(map[string]any)[stored])).To(BeEmpty(), "try %d", i)
			}
		}
		AddReportEntry("gateway", fmt.Sprintf("%d of %d random routes were let through, and %s takes them all", accepted, tries, kind))
		Expect(accepted).To(BeNumerically(">", tries/10))
		Expect(accepted).To(BeNumerically("<", tries))
	},
		Entry("an HTTPRoute", "HTTPRoute", "rules"),
		Entry("a GRPCRoute", "GRPCRoute", "grpcRules"),
	)
})

// routeObject is the object with two backends in every rule that does not redirect.
func routeObject(asked map[string]any, kind, field string) *unstructured.Unstructured {
	route := &unstructured.Unstructured{Object: object("apiVersion", "gateway.networking.k8s.io/v1", "kind", kind,
		"metadata", object("name", "shop-public", "namespace", "shop"))}
	spec := object("parentRefs", asked["parentRefs"])
	if asked["hostnames"] != nil {
		spec["hostnames"] = asked["hostnames"]
	}
	rules, _ := asked[field].([]any)
	if rules == nil {
		rules = list(object())
	}
	var made []any
	for _, rule := range rules {
		copied := object("backendRefs", list(
			object("name", "shop-1-4-1-web", "port", int64(80), "weight", int64(80)),
			object("name", "shop-1-4-2-web", "port", int64(80), "weight", int64(20))))
		for field, value := range rule.(map[string]any) {
			copied[field] = value
		}
		if strings.Contains(fmt.Sprint(copied["filters"]), "RequestRedirect") {
			delete(copied, "backendRefs")
		}
		made = append(made, copied)
	}
	spec["rules"] = made
	route.Object["spec"] = spec
	return route
}

// missing lists what was asked for and is not in what was stored.
func missing(path string, asked, got any) []string {
	var out []string
	switch asked := asked.(type) {
	case nil:
	case map[string]any:
		stored, _ := got.(map[string]any)
		for field, value := range asked {
			out = append(out, missing(path+"."+field, value, stored[field])...)
		}
	case []any:
		stored, _ := got.([]any)
		for i, value := range asked {
			if i >= len(stored) {
				return append(out, path)
			}
			out = append(out, missing(fmt.Sprintf("%s[%d]", path, i), value, stored[i])...)
		}
	default:
		if fmt.Sprint(asked) != fmt.Sprint(got) {
			out = append(out, fmt.Sprintf("%s: %v became %v", path, asked, got))
		}
	}
	return out
}

// pick returns one of the values, the first ones, which are right, more often.
func pick(r *rand.Rand, values ...any) any {
	n := len(values)
	return values[min(r.IntN(n), r.IntN(n), r.IntN(n))]
}

// some returns an object with each of the fields in one of three cases, or as often
// as it says.
func some(r *rand.Rand, fields map[string]func() any, always ...string) map[string]any {
	made := map[string]any{}
	for field, value := range fields {
		if r.IntN(3) == 0 {
			made[field] = value()
		}
	}
	for _, field := range always {
		made[field] = fields[field]()
	}
	return made
}

func upTo(r *rand.Rand, most int, item func() any) []any {
	return times(1+r.IntN(most), func(int) any { return item() })
}

func randomGateway(r *rand.Rand, kind, rules string) map[string]any {
	rule := map[string]func(*rand.Rand) map[string]any{"HTTPRoute": randomRule, "GRPCRoute": randomCallRule}[kind]
	return some(r, map[string]func() any{
		"kind": func() any { return kind },
		"parentRefs": func() any {
			return upTo(r, 2, func() any {
				return some(r, map[string]func() any{
					"name":        func() any { return pick(r, "public", "private", "Public") },
					"namespace":   func() any { return pick(r, "gateways", "shop") },
					"group":       func() any { return pick(r, "gateway.networking.k8s.io", "", "example.com") },
					"kind":        func() any { return pick(r, "Gateway", "Service") },
					"sectionName": func() any { return pick(r, "https", "http") },
					"port":        func() any { return pick(r, int64(443), int64(80)) },
				}, "name")
			})
		},
		"hostnames": func() any {
			return upTo(r, 3, func() any {
				return pick(r, "shop.example.com", "*.example.com", "localhost", "10.0.0.1", "a_b.example.com")
			})
		},
		rules: func() any { return upTo(r, 3, func() any { return rule(r) }) },
	}, "kind", "parentRefs", rules)
}

func randomCallRule(r *rand.Rand) map[string]any {
	return some(r, map[string]func() any{
		"matches": func() any { return upTo(r, 2, func() any { return randomCall(r) }) },
		"filters": func() any {
			return upTo(r, 2, func() any {
				return randomFilter(r, "requestHeaderModifier", "requestMirror", "responseHeaderModifier", "extensionRef")
			})
		},
	}, "matches")
}

func randomCall(r *rand.Rand) map[string]any {
	return some(r, map[string]func() any{
		"method": func() any {
			return some(r, map[string]func() any{
				"type":    func() any { return pick(r, "Exact", "RegularExpression", "Prefix") },
				"service": func() any { return pick(r, "shop.Cart", "Cart", ".*", "shop-cart", "") },
				"method":  func() any { return pick(r, "Add", "Add_1", "A.*", "a-b", "") },
			})
		},
		"headers": func() any {
			return upTo(r, 2, func() any {
				return some(r, map[string]func() any{
					"name":  func() any { return pick(r, "x-shop", "accept", "x shop") },
					"value": func() any { return pick(r, "1", "a b", "") },
					"type":  func() any { return pick(r, "Exact", "RegularExpression", "Prefix") },
				}, "name", "value")
			})
		},
	})
}

func randomRule(r *rand.Rand) map[string]any {
	return some(r, map[string]func() any{
		"matches": func() any { return upTo(r, 2, func() any { return randomMatch(r) }) },
		"filters": func() any { return upTo(r, 2, func() any { return randomFilter(r, filters...) }) },
		"timeouts": func() any {
			return some(r, map[string]func() any{
				"request":        func() any { return pick(r, "10s", "0s", "1h") },
				"backendRequest": func() any { return pick(r, "5s", "1m", "5 s") },
			})
		},
	}, "matches")
}

func randomMatch(r *rand.Rand) map[string]any {
	header := func() any {
		return some(r, map[string]func() any{
			"name":  func() any { return pick(r, "x-shop", "accept", "x shop") },
			"value": func() any { return pick(r, "1", "a b", "") },
			"type":  func() any { return pick(r, "Exact", "RegularExpression", "Prefix") },
		}, "name", "value")
	}
	return some(r, map[string]func() any{
		"path": func() any {
			return some(r, map[string]func() any{
				"type": func() any { return pick(r, "PathPrefix", "Exact", "RegularExpression") },
				"value": func() any {
					return pick(r, "/", "/shop", "/shop/", "shop", "/a//b", "/a/../b", "/a%2Fb", "/ü", ".*\\.png")
				},
			})
		},
		"headers":     func() any { return upTo(r, 2, header) },
		"queryParams": func() any { return upTo(r, 2, header) },
		"method":      func() any { return pick(r, "GET", "POST", "BREW") },
	})
}

// filters of an HTTPRoute, by their fields.
var filters = []any{"requestHeaderModifier", "urlRewrite", "requestMirror", "requestRedirect", "cors", "responseHeaderModifier", "extensionRef"}

func randomFilter(r *rand.Rand, names ...any) map[string]any {
	headers := func() any {
		one := func() any { return object("name", pick(r, "x-from", "x-to"), "value", pick(r, "gateway", "")) }
		return some(r, map[string]func() any{
			"set": func() any { return upTo(r, 2, one) }, "add": func() any { return upTo(r, 2, one) },
			"remove": func() any { return list(pick(r, "x-old", "x-older")) },
		})
	}
	path := func() any {
		return pick(r,
			object("type", "ReplaceFullPath", "replaceFullPath", "/new"), object("type", "ReplacePrefixMatch", "replacePrefixMatch", "/new"),
			object("type", "ReplacePrefixMatch"), object("type", "ReplaceFullPath", "replacePrefixMatch", "/"))
	}
	members := map[string]func() any{
		"requestHeaderModifier":  headers,
		"responseHeaderModifier": headers,
		"urlRewrite": func() any {
			return some(r, map[string]func() any{"hostname": func() any { return pick(r, "shop.internal", "*.x") }, "path": path})
		},
		"requestRedirect": func() any {
			return some(r, map[string]func() any{
				"scheme": func() any { return pick(r, "https", "ftp") }, "hostname": func() any { return "example.com" },
				"port": func() any { return pick(r, int64(443), int64(0)) }, "statusCode": func() any { return pick(r, int64(301), int64(302), int64(500)) }, "path": path,
			})
		},
		"requestMirror": func() any {
			return some(r, map[string]func() any{
				"backendRef": func() any {
					return some(r, map[string]func() any{
						"name": func() any { return "mirror" }, "port": func() any { return int64(80) }, "kind": func() any { return pick(r, "Service", "Bucket") },
					}, "name")
				},
				"percent":  func() any { return pick(r, int64(10), int64(101)) },
				"fraction": func() any { return object("numerator", pick(r, int64(1), int64(200))) },
			}, "backendRef")
		},
		"cors": func() any {
			return object("allowOrigins", list(pick(r, "https://shop.example.com", "*", "shop")), "maxAge", pick(r, int64(5), int64(0)))
		},
		"extensionRef": func() any {
			return object("group", pick(r, "example.com", ""), "kind", "Filter", "name", "mine")
		},
	}
	types := map[string]any{
		"requestHeaderModifier": "RequestHeaderModifier", "responseHeaderModifier": "ResponseHeaderModifier", "urlRewrite": "URLRewrite",
		"requestRedirect": "RequestRedirect", "requestMirror": "RequestMirror", "cors": "CORS", "extensionRef": "ExtensionRef",
	}
	member := pick(r, names...).(string)
	named := member
	if r.IntN(12) == 0 {
		named = pick(r, names...).(string)
	}
	return object("type", types[named], member, members[member]())
}
