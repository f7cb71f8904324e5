// Command release makes what Strata is published as.
//
//	release manifests --image REF --output FILE   config/default as one file
//	release image --binary FILE --output FILE     the operator's image as a tar archive
//	release plugin --binaries DIR --version V --url URL --output DIR
//	                                              archives of the plugin, and its krew manifest
//
// Paths are relative to the root of the checkout, wherever it is called from.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "release: "+err.Error())
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) == 0 {
		return errors.New("which? manifests, image or plugin")
	}
	root, err := findRoot()
	if err != nil {
		return err
	}
	flags := flag.NewFlagSet(args[0], flag.ExitOnError)
	output := flags.String("output", "", "file to write")
	switch args[0] {
	case "manifests":
		image := flags.String("image", "strata", "image of the operator, best by digest")
		_ = flags.Parse(args[1:])
		return writeManifests(root, *image, filepath.Join(root, *output))
	case "image":
		binary := flags.String("binary", "bin/manager", "static binary of the operator")
		reference := flags.String("reference", "strata:latest", "name of the image in the archive")
		_ = flags.Parse(args[1:])
		return writeImage(filepath.Join(root, *binary), *reference, filepath.Join(root, *output))
	case "plugin":
		binaries := flags.String("binaries", "dist/plugin", "directory with the binary of each platform")
		version := flags.String("version", "v0.0.0", "version, with its v")
		url := flags.String("url", "", "where the archives will be downloaded from")
		_ = flags.Parse(args[1:])
		return writePlugin(root, filepath.Join(root, *binaries), *version, *url, filepath.Join(root, *output))
	}
	return fmt.Errorf("no such verb: %s", args[0])
}

// findRoot is the directory above that holds PROJECT.
func findRoot() (string, error) {
	at, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("find the checkout: %w", err)
	}
	for {
		if _, err := os.Stat(filepath.Join(at, "PROJECT")); err == nil {
			return at, nil
		}
		if at == filepath.Dir(at) {
			return "", errors.New("find the checkout: no PROJECT here or above")
		}
		at = filepath.Dir(at)
	}
}
