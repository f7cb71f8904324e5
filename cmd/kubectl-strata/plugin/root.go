package plugin

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
)

// Exit codes. A pipeline can tell a bad answer from a question that was not answered.
const (
	codeDone = 0
	// codeNo: refused, failed, broken or invalid: what was asked for is not so.
	codeNo = 1
	// codeTimeout: nothing is known yet, and waiting for it is over.
	codeTimeout = 2
	// codeUnasked: the question could not be asked: flags, files, the cluster.
	codeUnasked = 3
)

// Options of a run.
type Options struct {
	Streams genericiooptions.IOStreams
	// Version of the plugin.
	Version string
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// answer is an error with an exit code of its own. One without text has been told
// already.
type answer struct {
	code int
	text string
}

func (a *answer) Error() string { return a.text }

// no is the answer to a question that was asked, and was not to be hoped for.
func no(format string, args ...any) error {
	return &answer{code: codeNo, text: fmt.Sprintf(format, args...)}
}

// Run runs the command with its arguments and answers with its exit code. An error is
// told once, on ErrOut.
func Run(ctx context.Context, args []string, options Options) int {
	command := newCommand(options)
	command.SetArgs(args)
	err := command.ExecuteContext(ctx)
	var answered *answer
	switch {
	case err == nil:
		return codeDone
	case errors.As(err, &answered):
		if answered.text != "" {
			fmt.Fprintln(options.Streams.ErrOut, "error: "+answered.text)
		}
		return answered.code
	}
	fmt.Fprintln(options.Streams.ErrOut, "error: "+err.Error())
	return codeUnasked
}

func newCommand(options Options) *cobra.Command {
	s := &session{Options: options, flags: genericclioptions.NewConfigFlags(true)}
	if s.Now == nil {
		s.Now = time.Now
	}
	root := &cobra.Command{
		Use:   "kubectl-strata",
		Short: "Releases and tracks of Strata: what they do, and what people ask of them",
		Long: `Releases and tracks of Strata: what they do, and what people ask of them.

Where a command takes a TRACK, it may be left out in a namespace that has one.
Exit codes: 0 done, 1 refused, failed or invalid, 2 timed out, 3 could not be asked.`,
		Annotations:   map[string]string{cobra.CommandDisplayNameAnnotation: "kubectl strata"},
		Version:       options.Version,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetIn(options.Streams.In)
	root.SetOut(options.Streams.Out)
	root.SetErr(options.Streams.ErrOut)
	s.flags.AddFlags(root.PersistentFlags())
	for _, add := range []func(*session) *cobra.Command{
		statusCommand, releasesCommand, historyCommand, explainCommand, waitCommand,
		approveCommand, abortCommand, retryCommand, rollbackCommand, skipHoldCommand,
		diffCommand, lintCommand, planCommand, pinCommand, promoteCommand, auditCommand,
	} {
		root.AddCommand(add(s))
	}
	s.completeFlags(root)
	return root
}
