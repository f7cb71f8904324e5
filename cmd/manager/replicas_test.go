package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

var _ = Describe("replicas of the operator", Ordered, func() {
	var first, second *replica

	AfterEach(func() {
		if CurrentSpecReport().Failed() && first != nil {
			GinkgoWriter.Println(first.log.String())
		}
	})
	AfterAll(func() {
		first.kill()
		second.kill()
	})

	It("become ready with the roles of config/rbac, in a cluster without the Gateway API", func() {
		first = start()
		Eventually(first.get).WithArguments(first.health + "/readyz").Should(Equal(http.StatusOK))
		Expect(first.get(first.health + "/healthz")).To(Equal(http.StatusOK))
		Eventually(leader).ShouldNot(BeEmpty())
	})

	It("keep the key of digests and the certificate of the webhook in Secrets", func(ctx SpecContext) {
		key := &corev1.Secret{}
		Expect(admin.Get(ctx, client.ObjectKey{Namespace: "strata-system", Name: "strata-digest-key"}, key)).To(Succeed())
		Expect(key.Data["key"]).To(HaveLen(32))
		certificate := &corev1.Secret{}
		Expect(admin.Get(ctx, client.ObjectKey{Namespace: "strata-system", Name: "strata-webhook-tls"}, certificate)).To(Succeed())
	})

	It("serve metrics to nobody without a token", func() {
		Eventually(first.get).WithArguments(first.metrics).Should(Equal(http.StatusUnauthorized))
	})

	It("are ready without leading", func() {
		before := leader()
		second = start()
		Eventually(second.get).WithArguments(second.health + "/readyz").Should(Equal(http.StatusOK))
		Expect(leader()).To(Equal(before))
	})

	It("end cleanly when told to, and hand over at once", func() {
		before := leader()
		Expect(first.process.Process.Signal(os.Interrupt)).To(Succeed())
		Eventually(first.ended).WithTimeout(10 * time.Second).Should(Receive(BeNil()))
		// A Lease that is not released lasts 15 s.
		Eventually(leader).WithTimeout(10 * time.Second).ShouldNot(Or(BeEmpty(), Equal(before)))
	})

	It("are refused nothing, and log each line as JSON", func() {
		for _, r := range []*replica{first, second} {
			for line := range strings.Lines(r.log.String()) {
				Expect(json.Valid([]byte(line))).To(BeTrue(), line)
				Expect(line).NotTo(ContainSubstring("forbidden"))
			}
		}
	})
})

// leader is the identity that holds the Lease; "" while nobody does.
func leader() string {
	lease := &coordinationv1.Lease{}
	err := admin.Get(context.Background(), client.ObjectKey{Namespace: "strata-system", Name: "strata-leader"}, lease)
	if err != nil || lease.Spec.HolderIdentity == nil {
		return ""
	}
	return *lease.Spec.HolderIdentity
}

var anyCertificate = &http.Client{
	Timeout:   5 * time.Second,
	Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}},
}

// get asks a server of the replica; 0 while it does not answer.
func (r *replica) get(url string) int {
	response, err := anyCertificate.Get(url)
	if err != nil {
		return 0
	}
	defer response.Body.Close()
	return response.StatusCode
}

// logBuffer is what a replica has logged so far.
type logBuffer struct {
	mu   sync.Mutex
	text strings.Builder
}

// Write implements io.Writer.
func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}
