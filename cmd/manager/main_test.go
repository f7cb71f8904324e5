package main

import (
	"flag"
	"reflect"
	"testing"

	"github.com/strata-release/strata/controllers/operator"
)

func TestFlagsBecomeOptions(t *testing.T) {
	var got operator.Options
	flags := flag.NewFlagSet("manager", flag.ContinueOnError)
	bind(flags, &got)
	if err := flags.Parse([]string{"--namespace=ops", "--leader-elect=false", "--metrics-bind-address=0", "--kube-api-qps=7.5", "--max-rollouts=20",
		"--webhook-name=10.0.0.1", "--webhook-name=host.example"}); err != nil {
		t.Fatal(err)
	}
	want := operator.Options{
		Namespace: "ops", ServiceAccount: "strata",
		MaxConcurrentReconciles: 4, MaxRollouts: 20, QPS: 7.5, Burst: 100,
		MetricsAddress: "0", MetricsSecure: true,
		HealthAddress: ":8081", WebhookPort: 9443, WebhookNames: []string{"10.0.0.1", "host.example"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}
