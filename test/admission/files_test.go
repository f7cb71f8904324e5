package admission

import (
	"encoding/json"
	"os"
	"path/filepath"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

func toJSON(object any) []byte {
	data, err := json.Marshal(object)
	Expect(err).NotTo(HaveOccurred())
	return data
}

func writeFile(name string, data []byte) string {
	path := filepath.Join(GinkgoT().TempDir(), name)
	Expect(os.WriteFile(path, data, 0o600)).To(Succeed())
	return path
}
