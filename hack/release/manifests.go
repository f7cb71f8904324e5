package main

import (
	"fmt"
	"os"
	"path/filepath"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/resmap"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// placeholder is the image that config/manager names.
const placeholder = "strata"

// writeManifests renders config/default, with the operator's image put in, into
// one file that kubectl apply takes: namespace and CRDs first, webhooks last.
func writeManifests(root, image, output string) error {
	options := krusty.MakeDefaultOptions()
	options.Reorder = krusty.ReorderOptionUnspecified
	resources, err := krusty.MakeKustomizer(options).
		Run(filesys.MakeFsOnDisk(), filepath.Join(root, "config", "default"))
	if err != nil {
		return fmt.Errorf("render config/default: %w", err)
	}
	if err := setImage(resources, image); err != nil {
		return err
	}
	data, err := resources.AsYaml()
	if err != nil {
		return fmt.Errorf("render config/default: %w", err)
	}
	return write(output, data)
}

// setImage replaces the placeholder, and fails where it finds none.
func setImage(resources resmap.ResMap, image string) error {
	replaced := 0
	for _, resource := range resources.Resources() {
		if resource.GetKind() != "Deployment" {
			continue
		}
		containers, err := resource.Pipe(yaml.Lookup("spec", "template", "spec", "containers"))
		if err != nil {
			return fmt.Errorf("read containers of Deployment %s: %w", resource.GetName(), err)
		}
		err = containers.VisitElements(func(container *yaml.RNode) error {
			if name, err := container.GetString("image"); err != nil || name != placeholder {
				return err
			}
			replaced++
			return container.PipeE(yaml.SetField("image", yaml.NewStringRNode(image)))
		})
		if err != nil {
			return fmt.Errorf("set image of Deployment %s: %w", resource.GetName(), err)
		}
	}
	if replaced != 1 {
		return fmt.Errorf("set image: %d containers have the image %q, want 1", replaced, placeholder)
	}
	return nil
}

func write(output string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(output), 0o755); err != nil {
		return fmt.Errorf("write %s: %w", output, err)
	}
	if err := os.WriteFile(output, data, 0o644); err != nil {
		return fmt.Errorf("write %s: %w", output, err)
	}
	return nil
}
