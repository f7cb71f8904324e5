package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"

	"github.com/strata-release/strata/hack/cluster/layout"
)

// Agent is the life of the node's agent process, which holds the node's mount
// namespace open and forwards ports of the host's loopback into the network
// namespace. It is started inside the network namespace, in a mount namespace
// of its own, with inherited descriptors: 3 to tell that it is ready, then one
// listener of the host's namespace for each target.
func Agent(ctx context.Context, l layout.Layout, targets []string) error {
	for target, source := range l.Binds() {
		if err := syscall.Mount(source, target, "", syscall.MS_BIND, ""); err != nil {
			return fmt.Errorf("bind %s to %s: %w", source, target, err)
		}
	}
	for i, target := range targets {
		listener, err := net.FileListener(os.NewFile(uintptr(4+i), target))
		if err != nil {
			return fmt.Errorf("take over listener for %s: %w", target, err)
		}
		go forward(ctx, listener, target)
	}
	ready := os.NewFile(3, "ready")
	if _, err := ready.Write([]byte{1}); err != nil {
		return fmt.Errorf("tell that the node is ready: %w", err)
	}
	if err := ready.Close(); err != nil {
		return fmt.Errorf("tell that the node is ready: %w", err)
	}
	<-ctx.Done()
	return nil
}

// forward copies each connection both ways. The target is dialled from the
// network namespace that this process is in.
func forward(ctx context.Context, l net.Listener, target string) {
	var dialer net.Dialer
	for {
		in, err := l.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			fmt.Fprintf(os.Stderr, "accept for %s: %v\n", target, err)
			continue
		}
		go func() {
			out, err := dialer.DialContext(ctx, "tcp", target)
			if err != nil {
				fmt.Fprintf(os.Stderr, "forward to %s: %v\n", target, err)
				_ = in.Close()
				return
			}
			go pipe(out, in)
			pipe(in, out)
		}()
	}
}

// pipe copies until the source ends, then passes that end on.
func pipe(to, from net.Conn) {
	_, err := io.Copy(to, from)
	if c, ok := to.(*net.TCPConn); ok && err == nil {
		_ = c.CloseWrite()
		return
	}
	_ = to.Close()
	_ = from.Close()
}
