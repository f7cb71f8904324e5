package schema

import (
	"fmt"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	sum  = "sha256:00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
	hex  = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
	size = 512
)

// long is an image reference of n characters.
func long(n int) string {
	const host, tail = "registry.example.com/", "@" + sum
	return host + strings.Repeat("a", n-len(host)-len(tail)) + tail
}

// pinned are references that name one content for ever.
var pinned = []string{
	"registry.example.com/shop/web@" + sum,
	"registry.example.com/web@" + sum,
	"registry.example.com/a/b/c/d/e@" + sum,
	"registry.example.com:5000/shop/web@" + sum,
	"registry.example.com:1/web@" + sum,
	"registry.example.com/shop/web:1.4.2@" + sum,
	"registry.example.com/shop/web:latest@" + sum,
	"registry.example.com/shop/web:v1.4.2-rc.1_x@" + sum,
	"registry.example.com/shop/web:_x@" + sum,
	"registry.example.com/shop/web:1@" + sum,
	"registry.example.com/shop/web:" + strings.Repeat("x", 128) + "@" + sum,
	"registry.example.com:5000/shop/web:1.4.2@" + sum,
	"localhost/web@" + sum,
	"localhost:5000/shop/web@" + sum,
	"localhost:5000/shop/web:1.4.2@" + sum,
	"registry:5000/shop/web@" + sum,
	"r:5000/web@" + sum,
	"127.0.0.1:5000/shop/web@" + sum,
	"127.0.0.1/shop/web@" + sum,
	"10.0.0.1:65535/web@" + sum,
	"123456789012.dkr.ecr.eu-central-1.amazonaws.com/shop/web@" + sum,
	"europe-docker.pkg.dev/project/shop/web@" + sum,
	"ghcr.io/example/web@" + sum,
	"docker.io/library/nginx@" + sum,
	"docker.io/library/nginx:1.27@" + sum,
	"quay.io/example/web@" + sum,
	"registry.k8s.io/pause@" + sum,
	"registry.example.com/shop-web@" + sum,
	"registry.example.com/shop--web@" + sum,
	"registry.example.com/shop---web@" + sum,
	"registry.example.com/shop_web@" + sum,
	"registry.example.com/shop__web@" + sum,
	"registry.example.com/shop.web@" + sum,
	"registry.example.com/s0/w3b@" + sum,
	"registry.example.com/0/1@" + sum,
	"registry-1.example.com/web@" + sum,
	"1.example.com/web@" + sum,
	"a.b/c@" + sum,
	"xn--bcher-kva.example.com/web@" + sum,
	long(size),
	long(size - 1),
	"registry.example.com/shop/web@sha256:" + strings.Repeat("0", 64),
	"registry.example.com/shop/web@sha256:" + strings.Repeat("f", 64),
}

// unpinned are references that a node might resolve to something else tomorrow, or
// not at all.
var unpinned = []string{
	"",
	" ",
	"web",
	"web:1.4.2",
	"web@" + sum,
	"shop/web",
	"shop/web@" + sum,
	"shop/web:1.4.2@" + sum,
	"library/nginx@" + sum,
	"nginx@" + sum,
	"registry.example.com/shop/web",
	"registry.example.com/shop/web:latest",
	"registry.example.com/shop/web:1.4.2",
	"registry.example.com:5000/shop/web",
	"registry.example.com:5000/shop/web:1.4.2",
	"registry.example.com@" + sum,
	"registry.example.com:5000@" + sum,
	"registry.example.com/@" + sum,
	"registry.example.com//web@" + sum,
	"registry.example.com/shop//web@" + sum,
	"registry.example.com/shop/@" + sum,
	"/shop/web@" + sum,
	"registry.example.com/shop/web@",
	"registry.example.com/shop/web@sha256",
	"registry.example.com/shop/web@sha256:",
	"registry.example.com/shop/web@" + hex,
	"registry.example.com/shop/web:" + hex,
	"registry.example.com/shop/web@sha256:" + hex[:63],
	"registry.example.com/shop/web@sha256:" + hex + "0",
	"registry.example.com/shop/web@sha256:" + strings.ToUpper(hex),
	"registry.example.com/shop/web@sha256:" + strings.Repeat("g", 64),
	"registry.example.com/shop/web@SHA256:" + hex,
	"registry.example.com/shop/web@sha512:" + hex + hex,
	"registry.example.com/shop/web@sha384:" + hex + hex[:32],
	"registry.example.com/shop/web@md5:" + hex[:32],
	"registry.example.com/shop/web@sha256-" + hex,
	"registry.example.com/shop/web@" + sum + "@" + sum,
	"registry.example.com/shop/web@@" + sum,
	"registry.example.com/shop/web@" + sum + ":1.4.2",
	"registry.example.com/shop/web:@" + sum,
	"registry.example.com/shop/web:1.4.2:latest@" + sum,
	"registry.example.com/shop/web:-1@" + sum,
	"registry.example.com/shop/web:.1@" + sum,
	"registry.example.com/shop/web:a b@" + sum,
	"registry.example.com/shop/web:a+b@" + sum,
	"registry.example.com/shop/web:" + strings.Repeat("x", 129) + "@" + sum,
	"registry.example.com/Shop/web@" + sum,
	"registry.example.com/shop/Web@" + sum,
	"Registry.example.com/shop/web@" + sum,
	"REGISTRY.EXAMPLE.COM/shop/web@" + sum,
	"registry.example.com/shop/web_@" + sum,
	"registry.example.com/shop/_web@" + sum,
	"registry.example.com/shop/-web@" + sum,
	"registry.example.com/shop/web-@" + sum,
	"registry.example.com/shop/.web@" + sum,
	"registry.example.com/shop/web.@" + sum,
	"registry.example.com/shop/we..b@" + sum,
	"registry.example.com/shop/we._b@" + sum,
	"registry.example.com/shop/we___b@" + sum,
	"registry.example.com/shop/../web@" + sum,
	"registry.example.com/./web@" + sum,
	"registry.example.com/shop/wéb@" + sum,
	"registry.example.com/shop/web%20@" + sum,
	"registry.example.com/shop/web?x=1@" + sum,
	"registry.example.com/shop/web#x@" + sum,
	"registry.example.com/shop\\web@" + sum,
	"https://registry.example.com/shop/web@" + sum,
	"docker://registry.example.com/shop/web@" + sum,
	"oci:registry.example.com/shop/web@" + sum,
	"user@registry.example.com/shop/web@" + sum,
	"user:pass@registry.example.com/shop/web@" + sum,
	"registry.example.com:/shop/web@" + sum,
	"registry.example.com:port/shop/web@" + sum,
	"registry.example.com:123456/shop/web@" + sum,
	"registry.example.com:-1/shop/web@" + sum,
	"registry:/web@" + sum,
	"registry/web@" + sum,
	"localhosts/web@" + sum,
	".example.com/web@" + sum,
	"example.com./web@" + sum,
	"registry..example.com/web@" + sum,
	"-registry.example.com/web@" + sum,
	"registry_one.example.com/web@" + sum,
	"[::1]:5000/web@" + sum,
	"::1/web@" + sum,
	" registry.example.com/shop/web@" + sum,
	"registry.example.com/shop/web@" + sum + " ",
	"registry.example.com/shop/web@" + sum + "\n",
	"\nregistry.example.com/shop/web@" + sum,
	"registry.example.com/shop/web\t@" + sum,
	"registry.example.com/shop/web@" + sum + "\nregistry.example.com/shop/web@" + sum,
	"registry.example.com/shop/web:latest\nregistry.example.com/shop/web@" + sum,
	"registry.example.com/shop/web@" + sum + "\x00",
	"$(IMAGE)",
	"{{ .Values.image }}",
	"${REGISTRY}/web@" + sum,
	long(size + 1),
	long(4096),
}

// imagePlaces are all the places of a release that name an image.
var imagePlaces = []string{
	"spec.components[0].template.spec.containers[0].image",
	"spec.components[0].template.spec.containers[1].image",
	"spec.components[1].template.spec.containers[0].image",
	"spec.components[0].template.spec.initContainers[0].image",
	"spec.components[0].template.spec.volumes[2].image.reference",
	"spec.tests[0].template.spec.template.spec.containers[0].image",
}

var _ = Describe("An image", func() {
	It(fmt.Sprintf("is given by registry and digest: %d that are, %d that are not", len(pinned), len(unpinned)), func(ctx SpecContext) {
		Expect(len(pinned) + len(unpinned)).To(BeNumerically(">=", 100))
		for _, image := range pinned {
			release := load("release")
			set(release, imagePlaces[0], image)
			Expect(api.Create(ctx, release, client.DryRunAll)).To(Succeed(), "%q", image)
		}
		for _, image := range unpinned {
			release := load("release")
			set(release, imagePlaces[0], image)
			Expect(api.Create(ctx, release, client.DryRunAll)).To(MatchError(ContainSubstring(imagePlaces[0]+": ")), "%q", image)
		}
	})

	DescribeTable("is checked in every place",
		func(ctx SpecContext, place string) {
			release := load("release")
			set(release, place, "registry.example.com/shop/web:latest")
			Expect(api.Create(ctx, release, client.DryRunAll)).To(MatchError(And(
				ContainSubstring(place+": Invalid value"), ContainSubstring("web:latest"), ContainSubstring("sha256"))))
			set(release, place, nil)
			Expect(api.Create(ctx, release, client.DryRunAll)).To(MatchError(ContainSubstring(place + ": Required value")))
		},
		entries(imagePlaces),
	)

	It("is checked in the init containers and image volumes of a test", func(ctx SpecContext) {
		const pod = "spec.tests[0].template.spec.template.spec"
		for path, value := range map[string]any{
			pod + ".initContainers[0].image":    object("name", "first", "image", "web"),
			pod + ".volumes[0].image.reference": object("name", "data", "image", object("reference", "web")),
		} {
			release := load("release")
			item, _, _ := strings.Cut(strings.TrimPrefix(path, pod+"."), ".")
			set(release, pod+"."+item, value)
			Expect(api.Create(ctx, release, client.DryRunAll)).To(MatchError(ContainSubstring(path + `: Invalid value: "web"`)))
		}
	})
})

// entries makes a table row of each.
func entries(rows []string) []TableEntry {
	var out []TableEntry
	for _, row := range rows {
		out = append(out, Entry(row, row))
	}
	return out
}
