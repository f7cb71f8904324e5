package binaries

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/strata-release/strata/hack/cluster/layout"
)

// Build makes every program of a set that is missing or was built from something else,
// and copies the definitions that the set needs. It tells its progress to out.
func Build(ctx context.Context, l layout.Layout, out io.Writer, set Set) error {
	var wanted []Component
	for _, c := range Components() {
		if c.in(set) {
			wanted = append(wanted, c)
		}
	}
	var stale []Component
	for _, c := range wanted {
		if !c.upToDate(l) {
			stale = append(stale, c)
		}
	}
	if len(stale) > 0 {
		if _, err := exec.LookPath("go"); err != nil {
			return errors.New("build the cluster's programs: there is no go command in PATH (Go 1.26 is needed)")
		}
		fmt.Fprintf(out, "building %d of %d programs; on 2 cores, 20 minutes when nothing is cached\n", len(stale), len(wanted))
	}
	start := time.Now()
	for i, c := range stale {
		label := fmt.Sprintf("[%d/%d] %s", i+1, len(stale), c.Name)
		if err := c.build(ctx, l, newProgress(out, label, start)); err != nil {
			return err
		}
	}
	for _, d := range allDefinitions {
		if d.set != set {
			continue
		}
		if err := d.copy(ctx, l); err != nil {
			return err
		}
	}
	return nil
}

func (c Component) moduleDir(l layout.Layout) string {
	if c.Module == "" {
		return filepath.Dir(l.Modules())
	}
	return filepath.Join(l.Modules(), c.Module)
}

// build runs go build and then stamps the program with what it was made from.
func (c Component) build(ctx context.Context, l layout.Layout, p *progress) error {
	target := l.Bin(c.Name)
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		return fmt.Errorf("build %s: %w", c.Name, err)
	}
	args := []string{"build", "-v", "-trimpath", "-ldflags", c.LDFlags, "-o", target}
	if c.Tags != "" {
		args = append(args, "-tags", c.Tags)
	}
	cmd := exec.CommandContext(ctx, "go", append(args, c.Package)...)
	cmd.Dir = c.moduleDir(l)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off", "GOTOOLCHAIN=local")
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	cmd.Stderr = p // -v names each package as it is compiled
	cmd.Stdout = p
	p.begin()
	err := cmd.Run()
	p.end(err)
	if ctx.Err() != nil {
		return fmt.Errorf("build %s: interrupted; what is built is kept", c.Name)
	}
	if err != nil {
		return fmt.Errorf("build %s: %w\n%s", c.Name, err, p.tail())
	}
	stamp, err := c.stamp(l)
	if err != nil {
		return fmt.Errorf("build %s: %w", c.Name, err)
	}
	if err := os.MkdirAll(filepath.Dir(c.stampPath(l)), 0o755); err != nil {
		return fmt.Errorf("build %s: %w", c.Name, err)
	}
	return os.WriteFile(c.stampPath(l), []byte(stamp), 0o644)
}

func (c Component) stampPath(l layout.Layout) string {
	return l.Bin(filepath.Join(".stamps", strings.ReplaceAll(c.Name, "/", "-")))
}

// stamp digests all that decides what a build makes: versions, sources of our
// own, flags, and the platform.
func (c Component) stamp(l layout.Layout) (string, error) {
	h := sha256.New()
	fmt.Fprintln(h, c.Package, c.LDFlags, c.Tags, runtime.GOARCH)
	files := []string{filepath.Join(c.moduleDir(l), "go.mod"), filepath.Join(c.moduleDir(l), "go.sum")}
	if strings.HasPrefix(c.Package, ".") {
		own, err := filepath.Glob(filepath.Join(c.moduleDir(l), c.Package, "*.go"))
		if err != nil {
			return "", err
		}
		files = append(files, own...)
		if c.Module == "" {
			files = files[2:] // our own programs here depend on the standard library alone
		}
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return "", err
		}
		h.Write(data)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

func (c Component) upToDate(l layout.Layout) bool {
	want, err := c.stamp(l)
	if err != nil {
		return false
	}
	have, err := os.ReadFile(c.stampPath(l))
	if err != nil || string(have) != want {
		return false
	}
	_, err = os.Stat(l.Bin(c.Name))
	return err == nil
}

// definitions are manifests that a module ships.
type definitions struct {
	set Set
	// name of the directory below bin/cluster.
	name string
	// program is the directory below hack/cluster/build whose go.mod has the version.
	program, module string
	// files of the module, as a pattern.
	files []string
}

// allDefinitions are those of the very versions that programs are built with: the standard
// channel of the Gateway API, Traefik's own kinds, and how nodes and pods of kwok live: ready
// at once.
var allDefinitions = []definitions{
	{Local, "gateway-api", "traefik", "sigs.k8s.io/gateway-api", []string{"config", "crd", "standard", "gateway.networking.k8s.io_*.yaml"}},
	{Local, "traefik-crds", "traefik", "github.com/traefik/traefik/v3", []string{"docs", "content", "reference", "dynamic-configuration", "traefik.io_*.yaml"}},
	{Bench, "kwok-stages", "kwok", "sigs.k8s.io/kwok", []string{"kustomize", "stage", "*", "fast", "[np]o*.yaml"}},
}

// copy takes the definitions from their module.
func (d definitions) copy(ctx context.Context, l layout.Layout) error {
	target := l.Bin(d.name)
	stampFile := l.Bin(".stamps/" + d.name)
	source := Component{Module: d.program}
	want, err := source.stamp(l)
	if err != nil {
		return fmt.Errorf("copy %s: %w", d.name, err)
	}
	if have, err := os.ReadFile(stampFile); err == nil && string(have) == want {
		return nil
	}
	cmd := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", d.module)
	cmd.Dir = source.moduleDir(l)
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOTOOLCHAIN=local")
	dir, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("copy %s: %w", d.name, err)
	}
	files, err := filepath.Glob(filepath.Join(append([]string{strings.TrimSpace(string(dir))}, d.files...)...))
	if err != nil || len(files) == 0 {
		return fmt.Errorf("copy %s: no definitions in %s: %w", d.name, dir, err)
	}
	if err := os.RemoveAll(target); err != nil {
		return fmt.Errorf("copy %s: %w", d.name, err)
	}
	if err := os.MkdirAll(target, 0o755); err != nil {
		return fmt.Errorf("copy %s: %w", d.name, err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return fmt.Errorf("copy %s: %w", d.name, err)
		}
		if err := os.WriteFile(filepath.Join(target, filepath.Base(file)), data, 0o644); err != nil {
			return fmt.Errorf("copy %s: %w", d.name, err)
		}
	}
	return os.WriteFile(stampFile, []byte(want), 0o644)
}
