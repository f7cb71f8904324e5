package plugin

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"
)

// askTime is how long a registry may take to answer for one image.
const askTime = 30 * time.Second

func pinCommand(s *session) *cobra.Command {
	var file string
	var inPlace bool
	command := &cobra.Command{
		Use:   "pin -f FILE",
		Short: "Put the digest of every image into a file, and leave all else as it is written",
		Long: `Put the digest of every image into a file, and leave all else as it is written.

Tags are asked for at their registries, with the credentials of docker login. An image for
several platforms gets the digest of its index. The tag stays, for people. Images that
have a digest are left alone.`,
		Example: `  kubectl strata pin -f shop-1-4-2.yaml > pinned.yaml
  kubectl strata pin -f shop-1-4-2.yaml --in-place`,
		Args: cobra.NoArgs,
	}
	command.Flags().StringVarP(&file, "filename", "f", "", "file to read, - for standard input")
	command.Flags().BoolVarP(&inPlace, "in-place", "i", false, "write the file instead of printing it")
	command.RunE = func(c *cobra.Command, _ []string) error {
		switch {
		case file == "":
			return errors.New("-f is required: name a file, or - for standard input")
		case file == "-" && inPlace:
			return errors.New("--in-place writes a file: standard input is none")
		}
		data, err := s.readFile(file)
		if err != nil {
			return err
		}
		pinned, err := s.pin(c.Context(), file, data)
		if err != nil {
			return err
		}
		if !inPlace {
			_, err := s.Streams.Out.Write(pinned)
			return err
		}
		if bytes.Equal(pinned, data) {
			return nil
		}
		info, err := os.Stat(file)
		if err != nil {
			return err
		}
		return os.WriteFile(file, pinned, info.Mode().Perm()) //nolint:gosec // the user names it
	}
	return command
}

// pin answers with the text of a file in which every image has a digest, and tells of
// each that it asked for on ErrOut.
func (s *session) pin(ctx context.Context, file string, data []byte) ([]byte, error) {
	nodes, err := imageNodes(data)
	if err != nil {
		return nil, fmt.Errorf("%s is not YAML: %w", file, err)
	}
	known := map[string]string{}
	text := slices.Clone(data)
	// From the last to the first: what is before an edit stays where it is.
	slices.SortFunc(nodes, func(a, b *yaml.Node) int { return cmp.Or(cmp.Compare(b.Line, a.Line), cmp.Compare(b.Column, a.Column)) })
	for _, node := range slices.Backward(nodes) {
		if known[node.Value] != "" {
			continue
		}
		if known[node.Value], err = pinned(ctx, s.Streams.ErrOut, node.Value); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", file, node.Line, err)
		}
	}
	for _, node := range nodes {
		if text, err = replace(text, node, known[node.Value]); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", file, node.Line, err)
		}
	}
	return text, nil
}

// imageNodes are where images are written, each once: those of containers, and of
// volumes.
func imageNodes(data []byte) ([]*yaml.Node, error) {
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	seen := map[*yaml.Node]bool{}
	var nodes []*yaml.Node
	for {
		var root yaml.Node
		err := decoder.Decode(&root)
		if errors.Is(err, io.EOF) {
			return nodes, nil
		}
		if err != nil {
			return nil, err
		}
		visitImages(&root, seen, func(n *yaml.Node) { nodes = append(nodes, n) })
	}
}

func visitImages(node *yaml.Node, seen map[*yaml.Node]bool, visit func(*yaml.Node)) {
	node = resolved(node)
	if seen[node] {
		return
	}
	seen[node] = true
	found := func(n *yaml.Node) {
		if n != nil && resolved(n).Kind == yaml.ScalarNode && resolved(n).Value != "" && !seen[resolved(n)] {
			seen[resolved(n)] = true
			visit(resolved(n))
		}
	}
	if node.Kind == yaml.MappingNode {
		for i := 0; i+1 < len(node.Content); i += 2 {
			key, list := node.Content[i].Value, resolved(node.Content[i+1])
			if list.Kind != yaml.SequenceNode {
				continue
			}
			for _, item := range list.Content {
				switch key {
				case "containers", "initContainers":
					found(below(item, "image"))
				case "volumes":
					if image := below(item, "image"); image != nil {
						found(below(image, "reference"))
					}
				}
			}
		}
	}
	for _, inner := range node.Content {
		visitImages(inner, seen, visit)
	}
}

// replace writes a value in the place of a node's, on the line on which it is written.
func replace(text []byte, node *yaml.Node, value string) ([]byte, error) {
	start := 0
	for range node.Line - 1 {
		start += bytes.IndexByte(text[start:], '\n') + 1
	}
	end := len(text)
	if i := bytes.IndexByte(text[start:], '\n'); i >= 0 {
		end = start + i
	}
	// Columns count characters; an anchor and a tag stand before the value, and may look
	// like it.
	line := []rune(string(text[start:end]))
	from := start + len(string(line[:min(node.Column-1, len(line))]))
	for from < end && (text[from] == '&' || text[from] == '!') {
		from += len(text[from:end]) - len(afterWord(text[from:end]))
	}
	at := bytes.Index(text[from:end], []byte(node.Value))
	if at < 0 {
		return nil, fmt.Errorf("image %s is not written on one line: write it so, and it can be pinned", node.Value)
	}
	at += from
	return slices.Concat(text[:at], []byte(value), text[at+len(node.Value):]), nil
}

// afterWord is what follows a word and its spaces.
func afterWord(line []byte) []byte {
	space := bytes.IndexAny(line, " \t")
	if space < 0 {
		return nil
	}
	return bytes.TrimLeft(line[space:], " \t")
}

// pinned is an image with the digest that its registry has for it now.
func pinned(ctx context.Context, told io.Writer, image string) (string, error) {
	ref, err := name.ParseReference(image)
	if err != nil {
		return "", fmt.Errorf("%q is no image: %w", image, err)
	}
	tag, ok := ref.(name.Tag)
	if !ok {
		return image, nil // It has a digest.
	}
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	found, err := remote.Get(ref, remote.WithContext(ctx), remote.WithAuthFromKeychain(authn.DefaultKeychain))
	if err != nil {
		return "", fmt.Errorf("ask for %s: %w; is it pushed, and are you logged in there (docker login)?", image, err)
	}
	if !found.MediaType.IsImage() && !found.MediaType.IsIndex() {
		return "", fmt.Errorf("%s is no image: it has type %s", image, found.MediaType)
	}
	fmt.Fprintf(told, "%s is %s%s\n", image, found.Digest, platforms(found))
	return withRegistry(image, tag) + "@" + found.Digest.String(), nil
}

// withRegistry is an image as it is written, but with its registry, which a release
// names: docker.io is what people call the one that is meant where none is written.
func withRegistry(image string, tag name.Tag) string {
	if host, _, _ := strings.Cut(image, "/"); host == tag.RegistryStr() || host == "docker.io" {
		return image
	}
	written := "docker.io/" + tag.RepositoryStr()
	if strings.HasSuffix(image, ":"+tag.TagStr()) {
		written += ":" + tag.TagStr()
	}
	return written
}

// platforms of an index, in words; "" for an image of one.
func platforms(found *remote.Descriptor) string {
	if !found.MediaType.IsIndex() {
		return ""
	}
	index, err := v1.ParseIndexManifest(bytes.NewReader(found.Manifest))
	if err != nil {
		return ""
	}
	var names []string
	for _, m := range index.Manifests {
		if m.Platform != nil && m.Platform.OS != "unknown" && m.Platform.OS != "" {
			names = append(names, m.Platform.String())
		}
	}
	if len(names) == 0 {
		return ""
	}
	return ", for " + strings.Join(names, ", ")
}
