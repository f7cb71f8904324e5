package lifecycle

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/strata-release/strata/hack/cluster/image"
	"github.com/strata-release/strata/hack/cluster/layout"
)

// Kubectl runs kubectl as the cluster's administrator, from the host.
func (c *Cluster) Kubectl(ctx context.Context, stdin []byte, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, c.Bin("kubectl"), args...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+c.Kubeconfig())
	cmd.Stdin = bytes.NewReader(stdin)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("kubectl %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(errs.String()))
	}
	return out.String(), nil
}

// RegistryAddress is where the host reaches the registry.
func (c *Cluster) RegistryAddress() string {
	return fmt.Sprintf("127.0.0.1:%d", c.choices.RegistryPort)
}

// pushImages puts the cluster's own images in the registry and fills in their
// references.
func (c *Cluster) pushImages(ctx context.Context, v *values) error {
	err := until(ctx, 20*time.Second, func() error { return answers(ctx, "http://"+c.RegistryAddress()+"/v2/") })
	if err != nil {
		return err
	}
	for _, i := range []struct {
		name string
		into *string
	}{{"pause", &v.PauseImage}, {"coredns", &v.CoreDNSImage}, {"traefik", &v.TraefikImage}} {
		img, err := image.Image{Files: map[string]string{"/" + i.name: c.Bin(i.name)}, Entrypoint: []string{"/" + i.name}}.Build()
		if err != nil {
			return err
		}
		digest, err := image.Push(ctx, img, c.RegistryAddress(), "cluster/"+i.name, "local")
		if err != nil {
			return err
		}
		*i.into = layout.RegistryHost + "/cluster/" + i.name + "@" + digest
	}
	return nil
}

func (c *Cluster) untilAPIReady(ctx context.Context) error {
	return until(ctx, time.Minute, func() error {
		_, err := c.Kubectl(ctx, nil, "get", "--raw", "/readyz")
		return err
	})
}

// applyAddOns applies DNS, what the gateway serves and the gateway, server-side, so
// that a second time changes nothing.
func (c *Cluster) applyAddOns(ctx context.Context, v values) error {
	apply := []string{"apply", "--server-side", "--force-conflicts", "--validate=false", "--field-manager=strata-cluster"}
	served := []string{"-f", c.Bin("gateway-api"), "-f", c.Bin("traefik-crds")}
	if _, err := c.Kubectl(ctx, nil, slices.Concat(apply, served)...); err != nil {
		return err
	}
	dns, err := render("dns.yaml", v)
	if err != nil {
		return err
	}
	if _, err := c.Kubectl(ctx, dns, slices.Concat(apply, []string{"-f", "-"})...); err != nil {
		return err
	}
	if _, err := c.Kubectl(ctx, nil, slices.Concat([]string{"wait", "--for=condition=Established", "--timeout=20s"}, served)...); err != nil {
		return err
	}
	gateway, err := render("gateway.yaml", v)
	if err != nil {
		return err
	}
	return until(ctx, 10*time.Second, func() error { // discovery follows the definitions a moment later
		_, err := c.Kubectl(ctx, gateway, slices.Concat(apply, []string{"-f", "-"})...)
		return err
	})
}

func (c *Cluster) untilNodeReady(ctx context.Context) error {
	return until(ctx, time.Minute, func() error {
		out, err := c.Kubectl(ctx, nil, "get", "node", layout.NodeName, "-o", `jsonpath={.status.conditions[?(@.type=="Ready")].status}/{.status.conditions[?(@.type=="Ready")].message}`)
		if err == nil && !strings.HasPrefix(out, "True/") {
			err = errors.New("node is not ready: " + out)
		}
		return err
	})
}

func (c *Cluster) untilDeployed(namespace, name string) func(context.Context) error {
	return func(ctx context.Context) error {
		_, err := c.Kubectl(ctx, nil, "rollout", "status", "--timeout=90s", "-n", namespace, "deployment/"+name)
		return err
	}
}

func (c *Cluster) untilGatewayReady(ctx context.Context) error {
	if err := c.untilDeployed("gateway", "traefik")(ctx); err != nil {
		return err
	}
	_, err := c.Kubectl(ctx, nil, "wait", "--for=condition=Programmed", "--timeout=30s", "-n", "gateway", "gateway/public")
	if err != nil {
		return err
	}
	return until(ctx, 20*time.Second, func() error {
		return answers(ctx, fmt.Sprintf("http://127.0.0.1:%d/", c.choices.GatewayPort))
	})
}

// answers says whether an HTTP server answers at all, whatever it says.
func answers(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

// until tries every 200 ms until try succeeds, and returns its last error
// after limit.
func until(ctx context.Context, limit time.Duration, try func() error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	var last error
	for {
		err := try()
		if err == nil {
			return nil
		}
		if ctx.Err() == nil || last == nil {
			last = err // not the one that the deadline itself causes
		}
		select {
		case <-ctx.Done():
			return last
		case <-tick.C:
		}
	}
}
