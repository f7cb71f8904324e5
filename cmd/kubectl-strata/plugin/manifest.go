package plugin

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	sigsyaml "sigs.k8s.io/yaml"

	"github.com/strata-release/strata/api/v1alpha1"
)

// document is one YAML document of a file: an object, and where its fields are written.
type document struct {
	file   string
	root   *yaml.Node
	object *unstructured.Unstructured
}

// readDocuments reads the files that are named; a directory stands for the .yaml, .yml
// and .json files in it.
func (s *session) readDocuments(names []string) ([]document, error) {
	if len(names) == 0 {
		return nil, errors.New("-f is required: name a file, a directory, or - for standard input")
	}
	var all []document
	for _, name := range names {
		files, err := filesOf(name)
		if err != nil {
			return nil, err
		}
		for _, file := range files {
			data, err := s.readFile(file)
			if err != nil {
				return nil, err
			}
			documents, err := parseDocuments(file, data)
			if err != nil {
				return nil, err
			}
			all = append(all, documents...)
		}
	}
	return all, nil
}

func filesOf(name string) ([]string, error) {
	if name == "-" {
		return []string{name}, nil
	}
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return []string{name}, nil
	}
	var files []string
	err = filepath.WalkDir(name, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() && slices.Contains([]string{".yaml", ".yml", ".json"}, filepath.Ext(path)) {
			files = append(files, path)
		}
		return err
	})
	return files, err
}

func parseDocuments(file string, data []byte) ([]document, error) {
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var all []document
	for {
		var root yaml.Node
		err := decoder.Decode(&root)
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%s is not YAML: %w", file, err)
		}
		document := document{file: file, root: &root}
		if document.object, err = toObject(&root); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", file, root.Line, err)
		}
		if document.object != nil {
			all = append(all, document)
		}
	}
}

// toObject makes an object of a document as kubectl does; nil for one that is empty.
func toObject(root *yaml.Node) (*unstructured.Unstructured, error) {
	if len(root.Content) == 0 || root.Content[0].Tag == "!!null" {
		return nil, nil
	}
	text, err := yaml.Marshal(root)
	if err != nil {
		return nil, err
	}
	plain, err := sigsyaml.YAMLToJSONStrict(text)
	if err != nil {
		return nil, err
	}
	object := &unstructured.Unstructured{}
	if err := object.UnmarshalJSON(plain); err != nil {
		return nil, fmt.Errorf("this is no object of Kubernetes: %w", err)
	}
	return object, nil
}

// isOurs says whether a document is of a kind of Strata.
func (d document) isOurs() bool {
	return d.object.GroupVersionKind().Group == v1alpha1.GroupVersion.Group
}

func (d document) name() string { return d.object.GetKind() + " " + d.object.GetName() }

// line is where the field of a path is written, or what is nearest above it.
func (d document) line(path string) int {
	node := d.root.Content[0]
	for _, step := range steps(path) {
		next := below(node, step)
		if next == nil {
			break
		}
		node = next
	}
	return node.Line
}

// steps of a path such as spec.components[0].labels[a.b/c].
func steps(path string) []string {
	var list []string
	for path != "" {
		switch path[0] {
		case '.':
			path = path[1:]
			continue
		case '[':
			inner, rest, _ := strings.Cut(path[1:], "]")
			list, path = append(list, inner), rest
			continue
		}
		end := strings.IndexAny(path, ".[")
		if end < 0 {
			end = len(path)
		}
		list, path = append(list, path[:end]), path[end:]
	}
	return list
}

func below(node *yaml.Node, step string) *yaml.Node {
	node = resolved(node)
	switch node.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(node.Content); i += 2 {
			if node.Content[i].Value == step {
				return node.Content[i+1]
			}
		}
	case yaml.SequenceNode:
		if i, err := strconv.Atoi(step); err == nil && i >= 0 && i < len(node.Content) {
			return node.Content[i]
		}
	}
	return nil
}

// resolved is the node that an alias stands for.
func resolved(node *yaml.Node) *yaml.Node {
	for node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	return node
}
