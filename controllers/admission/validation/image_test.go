package validation

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Every malformed reference is refused for what is wrong with it.
func TestMalformedImages(t *testing.T) {
	const hex = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
	const sum = "@sha256:" + hex
	const (
		required = "give the image by digest"
		tooLong  = "may not be more than 512 bytes"
		variable = "has a variable in it"
		letter   = "which no reference has"
		scheme   = "a reference begins with its registry"
		moves    = "names a tag, which can move"
		noDigest = "names no digest"
		user     = "has a user in it"
		twoAt    = "has more than one @"
		sha256   = "must be of sha256"
		hex64    = "must be 64 lower-case hexadecimal digits"
		registry = "does not name its registry"
		noPath   = "names a registry and no repository"
		ipv6     = "by an IPv6 address"
		capitals = "in capital letters"
		port     = "where the port of its registry goes"
		host     = "which is no host name"
		tag      = "where a tag goes"
		empty    = "that is empty"
		capital  = "has capital letters in its path"
		segment  = "in its path: lower-case"
	)
	images := map[string]string{
		"": required, strings.Repeat("a", 513): tooLong, "registry.example.com/" + strings.Repeat("a", 512) + sum: tooLong,

		"$(IMAGE)": variable, "{{ .Values.image }}": variable, "${REGISTRY}/web" + sum: variable, "registry.example.com/web:$(TAG)" + sum: variable,

		" ": letter, " registry.example.com/web" + sum: letter, "registry.example.com/web" + sum + " ": letter, "registry.example.com/web" + sum + "\n": letter,
		"registry.example.com/web\t" + sum: letter, "registry.example.com/web" + sum + "\x00": letter, "registry.example.com/wéb" + sum: letter,
		"registry.example.com/web%20" + sum: letter, "registry.example.com/web?x=1" + sum: letter, "registry.example.com/web#x" + sum: letter,
		"registry.example.com\\web" + sum: letter, "registry.example.com/web:a b" + sum: letter, "registry.example.com/web:a+b" + sum: letter,
		"\"registry.example.com/web" + sum + "\"": letter,

		"https://registry.example.com/web" + sum: scheme, "docker://registry.example.com/web" + sum: scheme, "oci://registry.example.com/web" + sum: scheme,

		"web:1.4.2": moves, "registry.example.com/web:latest": moves, "registry.example.com:5000/shop/web:1": moves, "registry.example.com/web:" + hex: moves,
		"web": noDigest, "shop/web": noDigest, "registry.example.com/shop/web": noDigest, "registry.example.com:5000/shop/web": noDigest,

		"user@registry.example.com/web" + sum: user, "user:pass@registry.example.com/web" + sum: user,
		"registry.example.com/web" + sum + sum: twoAt, "registry.example.com/web@" + sum: twoAt,
		"registry.example.com/web@": sha256, "registry.example.com/web@" + hex: sha256, "registry.example.com/web@SHA256:" + hex: sha256,
		"registry.example.com/web@sha512:" + hex + hex: sha256, "registry.example.com/web@md5:" + hex[:32]: sha256, "registry.example.com/web@sha256-" + hex: sha256,
		"registry.example.com/web@sha256": hex64, "registry.example.com/web@sha256:": hex64, "registry.example.com/web@sha256:" + hex[:63]: hex64,
		"registry.example.com/web" + sum + "0": hex64, "registry.example.com/web@sha256:" + strings.ToUpper(hex): hex64,
		"registry.example.com/web@sha256:" + strings.Repeat("g", 64): hex64, "registry.example.com/web" + sum + ":1.4.2": hex64,

		"web" + sum: registry, "shop/web" + sum: registry, "library/nginx:1" + sum: registry, "localhosts/web" + sum: registry, "/shop/web" + sum: registry,
		"registry.example.com" + sum: noPath, "registry.example.com:5000" + sum: noPath,
		"[::1]:5000/web" + sum: ipv6, "::1/web" + sum: ipv6, "[2001:db8::1]/web" + sum: ipv6,
		"REGISTRY.EXAMPLE.COM/web" + sum: capitals, "Registry.example.com/web" + sum: capitals,
		"registry.example.com:/web" + sum: port, "registry.example.com:port/web" + sum: port, "registry.example.com:123456/web" + sum: port,
		"registry.example.com:65536/web" + sum: port, "localhost:99999/web" + sum: port, "registry.example.com:0/web" + sum: port,
		"registry.example.com:-1/web" + sum: port, "registry:/web" + sum: port, "oci:registry.example.com/web" + sum: port,
		".example.com/web" + sum: host, "example.com./web" + sum: host, "registry..example.com/web" + sum: host, "-registry.example.com/web" + sum: host, "registry_one.example.com/web" + sum: host,

		"registry.example.com/web:" + sum: tag, "registry.example.com/web:-1" + sum: tag, "registry.example.com/web:.1" + sum: tag,
		"registry.example.com/web:1:latest" + sum: tag, "registry.example.com/web:" + strings.Repeat("x", 129) + sum: tag,

		"registry.example.com/" + sum: empty, "registry.example.com//web" + sum: empty, "registry.example.com/shop//web" + sum: empty, "registry.example.com/shop/" + sum: empty,
		"registry.example.com/Shop/web" + sum: capital, "registry.example.com/shop/Web" + sum: capital,
		"registry.example.com/web_" + sum: segment, "registry.example.com/_web" + sum: segment, "registry.example.com/-web" + sum: segment, "registry.example.com/web-" + sum: segment,
		"registry.example.com/.web" + sum: segment, "registry.example.com/we..b" + sum: segment, "registry.example.com/we._b" + sum: segment, "registry.example.com/we___b" + sum: segment,
		"registry.example.com/../web" + sum: segment, "registry.example.com/./web" + sum: segment, "registry.example.com/w*b" + sum: segment,
	}
	if len(images) < 60 {
		t.Errorf("%d references are too few", len(images))
	}
	for image, reason := range images {
		errs := validateImage(image, field.NewPath("image"))
		if len(errs) != 1 || !strings.Contains(errs[0].Error(), reason) {
			t.Errorf("%q: got %v, want %q", image, errs, reason)
		}
	}
}
