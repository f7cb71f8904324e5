package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"

	"github.com/strata-release/strata/hack/demo/seen"
	"github.com/strata-release/strata/test/harness"
	"github.com/strata-release/strata/test/load"
)

const (
	namespace = "shop"
	hostname  = "shop.example.test"
	// demoLabel on the namespace says that the demo may delete it.
	demoLabel, demoValue = "app.kubernetes.io/part-of", "strata-demo"
	// requestRate is high enough for 2,000 requests within each hold.
	requestRate = 250
)

// show is a running demo.
type show struct {
	*harness.Environment
	samples string
	// files is where the manifests are written with the image that this cluster has.
	files string
	user  string
	start time.Time
	load  *load.Client
	*narrator
	checks []check
	steps  []seen.Step
	// rollback is how long a rollback by hand took until the last new connection
	// that reached the former release, zero until it was done.
	rollback time.Duration
}

// check is one thing that had to hold.
type check struct {
	ok   bool
	what string
}

func newShow(ctx context.Context, env *harness.Environment, samples string) (*show, error) {
	s := &show{Environment: env, samples: samples, start: time.Now()}
	var err error
	if s.user, err = env.UserName(ctx); err != nil {
		return nil, err
	}
	if s.files, err = os.MkdirTemp("", "strata-demo-"); err != nil {
		return nil, fmt.Errorf("make a directory for manifests: %w", err)
	}
	s.narrator = newNarrator(env, s.start)
	return s, nil
}

func (s *show) close() {
	s.stop()
	_ = os.RemoveAll(s.files)
}

// stop ends load and narration; it may be called again.
func (s *show) stop() {
	if s.load != nil {
		s.load.Stop()
	}
	s.narrator.stop()
}

// expect notes whether something held, and says so at once.
func (s *show) expect(ok bool, format string, args ...any) {
	c := check{ok, fmt.Sprintf(format, args...)}
	s.checks = append(s.checks, c)
	s.say("%s %s", mark(c.ok), c.what)
}

func mark(ok bool) string {
	if ok {
		return "✓"
	}
	return "✗"
}

var anyImage = regexp.MustCompile(`registry\.example\.com/strata/app@sha256:[0-9a-f]{64}`)

// manifest writes a sample with this cluster's image, Gateway and user, and gives
// the path of the file.
func (s *show) manifest(name string) (string, error) {
	content, err := os.ReadFile(filepath.Join(s.samples, name))
	if err != nil {
		return "", fmt.Errorf("read sample %s: %w", name, err)
	}
	text := anyImage.ReplaceAllString(string(content), s.AppImage)
	text = strings.NewReplacer(
		"requester: kubernetes-admin", fmt.Sprintf("requester: %q", s.user),
		"- namespace: gateway\n          name: public", fmt.Sprintf("- namespace: %s\n          name: %s", s.Gateway.Namespace, s.Gateway.Name),
	).Replace(text)
	file := filepath.Join(s.files, name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return "", fmt.Errorf("write sample %s: %w", name, err)
	}
	return file, nil
}

// apply applies samples with kubectl, as a user would.
func (s *show) apply(ctx context.Context, names ...string) error {
	for _, name := range names {
		file, err := s.manifest(name)
		if err != nil {
			return err
		}
		s.say("$ kubectl apply -f config/samples/shop/%s", name)
		if output, err := s.kubectl(ctx, nil, "apply", "-f", file); err != nil {
			return fmt.Errorf("%w: %s", err, output)
		}
	}
	return nil
}

// kubectl gives the output, and an error where kubectl exits with one.
func (s *show) kubectl(ctx context.Context, env []string, args ...string) (string, error) {
	command := exec.CommandContext(ctx, "kubectl", append(args, "--namespace", namespace)...)
	command.Env = append(os.Environ(), append(env, "TMPDIR="+s.files)...)
	var output bytes.Buffer
	command.Stdout, command.Stderr = &output, &output
	if err := command.Run(); err != nil {
		return strings.TrimSpace(output.String()), fmt.Errorf("kubectl %s: %w", args[0], err)
	}
	return strings.TrimSpace(output.String()), nil
}

// clearStage deletes the namespace of a former demo, and no other.
func (s *show) clearStage(ctx context.Context) error {
	live := &corev1.Namespace{}
	err := s.Client.Get(ctx, types.NamespacedName{Name: namespace}, live)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("get namespace %s: %w", namespace, err)
	}
	if live.Labels[demoLabel] != demoValue {
		return fmt.Errorf("namespace %s is there without the label %s=%s: it is not the demo's, and is left alone", namespace, demoLabel, demoValue)
	}
	s.say("deleting the namespace of a former demo")
	if err := s.DeleteNamespace(ctx, namespace); err != nil {
		return err
	}
	return s.until(ctx, 2*time.Minute, "namespace "+namespace+" is gone", func(ctx context.Context) (bool, error) {
		err := s.Client.Get(ctx, types.NamespacedName{Name: namespace}, live)
		return apierrors.IsNotFound(err), nil
	})
}

// until waits until something holds, and fails after limit.
func (s *show) until(ctx context.Context, limit time.Duration, what string, holds func(context.Context) (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for {
		ok, err := holds(ctx)
		if ok {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("waited %s in vain until %s", limit, what), err)
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// explain says where the track stands, for a demo that could not go on.
func (s *show) explain(ctx context.Context) {
	s.narrator.stop()
	fmt.Println(s.Describe(ctx, namespace))
	fmt.Println(s.OperatorLog(ctx, 30))
}
