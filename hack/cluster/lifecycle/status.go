package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Status prints which programs run and what of the cluster answers. It is an
// error if anything does not.
func (c *Cluster) Status(ctx context.Context) error {
	if !c.AgentRunning() {
		return errors.New("the cluster is not up")
	}
	if err := c.Load(); err != nil {
		return err
	}
	ended := 0
	for _, p := range append([]program{{name: agent}}, c.programs()...) {
		r, running := c.Table.Find(p.name)
		if running {
			fmt.Printf("%-24s runs (%d)\n", p.name, r.PID)
			continue
		}
		ended++
		fmt.Printf("%-24s HAS ENDED, see %s\n", p.name, relative(c.Log(p.name)))
	}
	if ended > 0 {
		return fmt.Errorf("%d programs have ended: `up` starts them again", ended)
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	for _, check := range []struct {
		what string
		do   func(context.Context) error
	}{{"API server", c.untilAPIReady}, {"node", c.untilNodeReady}, {"gateway", c.untilGatewayReady}} {
		if err := check.do(ctx); err != nil {
			return fmt.Errorf("%s: %w", check.what, err)
		}
		fmt.Printf("%-24s ready\n", check.what)
	}
	c.explain(true)
	return nil
}

// Stop ends one program and leaves the others: an outage, made on purpose.
// `up` ends it.
func (c *Cluster) Stop(ctx context.Context, name string) error {
	if err := c.Load(); err != nil {
		return err
	}
	for _, p := range c.programs() {
		if p.name == name {
			return c.Table.Stop(ctx, name, p.grace)
		}
	}
	return fmt.Errorf("there is no program %q; `status` lists them", name)
}
