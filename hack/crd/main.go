// Command crd turns what controller-gen writes for the kinds of Strata into the
// CustomResourceDefinitions that are installed: it reads them from standard input
// and writes one file each into a directory.
//
//	controller-gen crd:generateEmbeddedObjectMeta=true paths=./api/... output:crd:stdout | crd DIR
//
// controller-gen copies the markers of the types that Strata embeds (pod and Job
// templates, autoscaling, routes of the Gateway API). Those were made for objects
// that change and get defaults. A release is frozen and stored as it was written,
// and so the schema under spec is made over in small steps; steps.go lists them, each
// says what would go wrong without it.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/util/yaml"
	sigsyaml "sigs.k8s.io/yaml"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: controller-gen ... output:crd:stdout | crd DIRECTORY")
		os.Exit(2)
	}
	if err := run(os.Stdin, os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "crd:", err)
		os.Exit(1)
	}
}

// run writes every CRD of the stream, processed, to directory/<group>_<plural>.yaml.
func run(in io.Reader, directory string) error {
	if err := os.MkdirAll(directory, 0o755); err != nil {
		return fmt.Errorf("make directory: %w", err)
	}
	decoder := yaml.NewYAMLOrJSONDecoder(in, 4096)
	for {
		crd := apiextensionsv1.CustomResourceDefinition{}
		if err := decoder.Decode(&crd); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("read CRD: %w", err)
		}
		if crd.Name == "" {
			continue // an empty document
		}
		process(&crd)
		out, err := encode(&crd)
		if err != nil {
			return fmt.Errorf("encode CRD %s: %w", crd.Name, err)
		}
		file := filepath.Join(directory, crd.Spec.Group+"_"+crd.Spec.Names.Plural+".yaml")
		if err := os.WriteFile(file, out, 0o644); err != nil {
			return fmt.Errorf("write CRD %s: %w", crd.Name, err)
		}
	}
}

// encode leaves out the status, which is the API server's business.
func encode(crd *apiextensionsv1.CustomResourceDefinition) ([]byte, error) {
	plain, err := sigsyaml.Marshal(crd)
	if err != nil {
		return nil, err
	}
	fields := map[string]any{}
	if err := sigsyaml.Unmarshal(plain, &fields); err != nil {
		return nil, err
	}
	delete(fields, "status")
	out, err := sigsyaml.Marshal(fields)
	return append([]byte("---\n"), out...), err
}
