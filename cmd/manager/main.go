// Command manager is the operator: it moves release tracks, and answers admission
// requests for them.
package main

import (
	"context"
	"flag"
	"os"

	"github.com/go-logr/zapr"
	uberzap "go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"

	"github.com/strata-release/strata/controllers/admission/guards"
	"github.com/strata-release/strata/controllers/operator"
)

// version is set by the build.
var version = "dev"

func main() {
	options := operator.Options{Version: version}
	logging := zap.Options{TimeEncoder: zapcore.RFC3339NanoTimeEncoder, StacktraceLevel: zapcore.PanicLevel}
	bind(flag.CommandLine, &options)
	logging.BindFlags(flag.CommandLine)
	flag.Parse()

	raw := zap.NewRaw(zap.UseFlagOptions(&logging))
	logger := zapr.NewLogger(raw)
	ctrl.SetLogger(logger)
	klog.SetLogger(logger)
	// net/http complains by the log package.
	uberzap.RedirectStdLog(raw)
	if err := run(ctrl.SetupSignalHandler(), options); err != nil {
		logger.Error(err, "the operator ended")
		os.Exit(1)
	}
}

// bind makes a flag of every option.
func bind(flags *flag.FlagSet, o *operator.Options) {
	flags.StringVar(&o.Namespace, "namespace", guards.Namespace, "Namespace that the operator lives in.")
	flags.StringVar(&o.ServiceAccount, "service-account", guards.ServiceAccount, "ServiceAccount that the operator runs as.")
	flags.StringVar(&o.Username, "username", "", "User that the operator is to the API server where it runs outside the cluster; the policies must name the same.")
	flags.BoolVar(&o.LeaderElection, "leader-elect", true, "Let one replica at a time move tracks.")
	flags.IntVar(&o.MaxConcurrentReconciles, "max-concurrent-reconciles", 4, "Tracks that are worked on at once.")
	flags.IntVar(&o.MaxRollouts, "max-rollouts", 0, "Rollouts that may be under way at once in all namespaces: others wait for their turn. 0 for any number; a ReleasePolicy may set another limit for each namespace.")
	flags.Float64Var(&o.QPS, "kube-api-qps", 50, "Requests to the API server per second, on average.")
	flags.IntVar(&o.Burst, "kube-api-burst", 100, "Requests to the API server at once.")
	flags.StringVar(&o.MetricsAddress, "metrics-bind-address", ":8443", "Address of /metrics; 0 turns it off.")
	flags.BoolVar(&o.MetricsSecure, "metrics-secure", true, "Serve metrics by TLS, to those who may get /metrics.")
	flags.BoolVar(&o.DebugPages, "debug-pages", false, "Serve /strata/debug/tracks and /strata/debug/pprof/ where metrics are served, to those who may get them.")
	flags.StringVar(&o.HealthAddress, "health-probe-bind-address", ":8081", "Address of /healthz and /readyz; 0 turns it off.")
	flags.IntVar(&o.WebhookPort, "webhook-port", 9443, "Port on which admission requests are answered.")
	flags.StringVar(&o.WebhookHost, "webhook-host", "", "Address on which they are answered; all by default.")
	flags.Func("webhook-name", "Further name or address by which the API server calls the webhook; may be given several times.", func(name string) error {
		o.WebhookNames = append(o.WebhookNames, name)
		return nil
	})
}

func run(ctx context.Context, options operator.Options) error {
	config, err := ctrl.GetConfig()
	if err != nil {
		return err
	}
	mgr, err := operator.New(ctx, config, options)
	if err != nil {
		return err
	}
	return mgr.Start(ctx)
}
