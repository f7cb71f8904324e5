package load

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
)

// caller makes gRPC calls one after the other. Calls that fail are not made again;
// but as the protocol has it, the library repeats those that no server has seen,
// because the connection was told to go away.
type caller struct {
	options Options
	// fresh: every call has a connection of its own.
	fresh      bool
	connection *grpc.ClientConn
}

// call is the result of one call. Its status is 200 for OK, else 0.
func (c *caller) call(ctx context.Context) Result {
	result := Result{Start: time.Now(), NewConnection: c.connection == nil}
	ctx, cancel := context.WithTimeout(ctx, c.options.Timeout)
	defer cancel()
	who, err := c.check(ctx)
	result.Duration = time.Since(result.Start)
	result.Version, result.Release, result.Pod = first(who, "x-version"), first(who, "x-release"), first(who, "x-pod")
	if err != nil {
		result.Error = err.Error()
	} else {
		result.Status = http.StatusOK
	}
	if c.fresh {
		c.close()
	}
	return result
}

func (c *caller) check(ctx context.Context) (who metadata.MD, err error) {
	if c.connection == nil {
		if c.connection, err = c.dial(); err != nil {
			return nil, err
		}
	}
	_, err = healthpb.NewHealthClient(c.connection).Check(ctx, &healthpb.HealthCheckRequest{Service: c.options.service}, grpc.Header(&who))
	return who, err
}

func (c *caller) dial() (*grpc.ClientConn, error) {
	to, err := url.Parse(c.options.URL)
	if err != nil {
		return nil, err
	}
	host, port := to.Hostname(), to.Port()
	if port == "" {
		port = "80"
	}
	options := []grpc.DialOption{
		grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithNoProxy(), grpc.WithDisableRetry(), grpc.WithDisableServiceConfig(),
	}
	if c.options.Host != "" {
		options = append(options, grpc.WithAuthority(c.options.Host))
	}
	return grpc.NewClient("passthrough:///"+net.JoinHostPort(host, port), options...)
}

func (c *caller) close() {
	if c.connection != nil {
		_ = c.connection.Close() // It is nobody's any more.
		c.connection = nil
	}
}

func first(who metadata.MD, name string) string {
	if values := who.Get(name); len(values) > 0 {
		return values[0]
	}
	return ""
}
