// Command guards writes what is made from the tables of controllers/admission:
// the policies, the webhook configurations, and the list of what is not supported
// yet.
package main

import (
	"flag"
	"log"
	"os"
	"path/filepath"

	"github.com/strata-release/strata/controllers/admission/guards"
	"github.com/strata-release/strata/controllers/admission/validation"
)

func main() {
	root := flag.String("root", ".", "the top of the repository")
	flag.Parse()
	files, err := guards.Manifests(guards.InCluster)
	if err != nil {
		log.Fatal(err)
	}
	files[validation.NotSupportedFile] = validation.NotSupportedDocument()
	for name, data := range files {
		path := filepath.Join(*root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			log.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o644); err != nil {
			log.Fatal(err)
		}
	}
}
