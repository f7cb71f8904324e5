package plugin

import (
	"context"
	"slices"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/strata-release/strata/api/v1alpha1"
)

// completeTime is how long somebody who presses the tab key waits for names at most.
const completeTime = 3 * time.Second

// complete offers the names of a kind, in the namespace that the flags name. Nothing is
// said of errors: they would end up in the line that is being typed.
func (s *session) complete(command *cobra.Command, list client.ObjectList) []string {
	if err := s.connect(); err != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(command.Context(), completeTime)
	defer cancel()
	if err := s.client.List(ctx, list, client.InNamespace(s.namespace)); err != nil {
		return nil
	}
	var names []string
	err := meta.EachListItem(list, func(object runtime.Object) error {
		names = append(names, object.(client.Object).GetName())
		return nil
	})
	if err != nil {
		return nil
	}
	slices.Sort(names)
	return names
}

// completeNames offers the names of a kind for up to n arguments, or for a flag.
func (s *session) completeNames(n int, list client.ObjectList) cobra.CompletionFunc {
	return func(command *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(args) >= n {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return s.complete(command, list), cobra.ShellCompDirectiveNoFileComp
	}
}

// forFlag is for flags, which complete whatever the arguments are.
const forFlag = 1 << 10

// completeFlags offers names for flags, and the values that an output may have.
func (s *session) completeFlags(root *cobra.Command) {
	s.offer(root, "namespace", s.completeNames(forFlag, &corev1.NamespaceList{}))
	for _, command := range root.Commands() {
		s.offer(command, "release", s.completeNames(forFlag, &v1alpha1.ImmutableReleaseList{}))
		if command.Name() == "rollback" {
			s.offer(command, "to", s.completeNames(forFlag, &v1alpha1.ImmutableReleaseList{}))
		}
	}
}

// offer completes a flag where the command has it.
func (s *session) offer(command *cobra.Command, flag string, with cobra.CompletionFunc) {
	if command.Flag(flag) == nil {
		return
	}
	if err := command.RegisterFlagCompletionFunc(flag, with); err != nil {
		panic("a flag that is there cannot be completed: " + err.Error())
	}
}
