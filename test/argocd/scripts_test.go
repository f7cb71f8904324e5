package argocd

import (
	"flag"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"sigs.k8s.io/yaml"
)

var update = flag.Bool("update", false, "write config/argocd/argocd-cm.yaml anew")

// The scripts are laid out as those in Argo CD's own repository.
const (
	home      = "../../config/argocd"
	group     = "strata.dev"
	configMap = home + "/argocd-cm.yaml"
)

// acting are the kinds that have actions.
var (
	kinds  = []string{"ImmutableRelease", "ReleaseAction", "ReleaseTrack"}
	acting = []string{"ImmutableRelease", "ReleaseTrack"}
)

func read(t *testing.T, path ...string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func decode(t *testing.T, into any, path ...string) {
	t.Helper()
	if err := yaml.UnmarshalStrict([]byte(read(t, path...)), into); err != nil {
		t.Fatalf("%s: %v", filepath.Join(path...), err)
	}
}

// answer of a script of a kind about the object in a file below that kind.
func answer(t *testing.T, kind, script, inputPath string) any {
	t.Helper()
	var object map[string]any
	decode(t, &object, home, group, kind, inputPath)
	got, err := run(read(t, home, group, kind, script), object)
	if err != nil {
		t.Fatalf("%s about %s: %v", script, inputPath, err)
	}
	return got
}

func TestHealth(t *testing.T) {
	for _, kind := range kinds {
		var file struct {
			Tests []struct {
				InputPath    string         `json:"inputPath"`
				HealthStatus map[string]any `json:"healthStatus"`
			} `json:"tests"`
		}
		decode(t, &file, home, group, kind, "health_test.yaml")
		var tested []string
		for _, test := range file.Tests {
			tested = append(tested, test.InputPath)
			if got := answer(t, kind, "health.lua", test.InputPath); !reflect.DeepEqual(got, any(test.HealthStatus)) {
				t.Errorf("%s %s:\n got %v\nwant %v", kind, test.InputPath, got, test.HealthStatus)
			}
		}
		if all := filesOf(t, kind, "testdata/*.yaml"); !slices.Equal(all, slices.Sorted(slices.Values(tested))) {
			t.Errorf("%s: health_test.yaml tests %v of %v", kind, tested, all)
		}
	}
}

// filesOf a kind that match a pattern, by their paths below it.
func filesOf(t *testing.T, kind, pattern string) []string {
	t.Helper()
	root := filepath.Join(home, group, kind)
	files, err := filepath.Glob(filepath.Join(root, pattern))
	if err != nil || len(files) == 0 {
		t.Fatalf("no files %s of %s: %v", pattern, kind, err)
	}
	for i, file := range files {
		if files[i], err = filepath.Rel(root, file); err != nil {
			t.Fatal(err)
		}
	}
	return files
}

// actionsOf a kind are the names of the directories of its actions.
func actionsOf(t *testing.T, kind string) []string {
	t.Helper()
	var names []string
	for _, file := range filesOf(t, kind, "actions/*/action.lua") {
		names = append(names, filepath.Base(filepath.Dir(file)))
	}
	return names
}

func TestActions(t *testing.T) {
	for _, kind := range acting {
		var file struct {
			DiscoveryTests []struct {
				InputPath string `json:"inputPath"`
				Result    []struct {
					Name     string `json:"name"`
					Disabled bool   `json:"disabled"`
				} `json:"result"`
			} `json:"discoveryTests"`
			ActionTests []struct {
				Action             string `json:"action"`
				InputPath          string `json:"inputPath"`
				ExpectedOutputPath string `json:"expectedOutputPath"`
			} `json:"actionTests"`
		}
		decode(t, &file, home, group, kind, "actions", "action_test.yaml")
		for _, test := range file.DiscoveryTests {
			want := map[string]any{}
			for _, action := range test.Result {
				want[action.Name] = map[string]any{"disabled": action.Disabled}
			}
			if got := answer(t, kind, "actions/discovery.lua", filepath.Join("actions", test.InputPath)); !reflect.DeepEqual(got, any(want)) {
				t.Errorf("%s %s:\n got %v\nwant %v", kind, test.InputPath, got, want)
			}
			if all := slices.Sorted(maps.Keys(want)); !slices.Equal(all, actionsOf(t, kind)) {
				t.Errorf("%s %s: discovers %v, and there are %v", kind, test.InputPath, all, actionsOf(t, kind))
			}
		}
		var tested []string
		for _, test := range file.ActionTests {
			tested = append(tested, test.Action)
			var want []struct {
				Operation string         `json:"k8sOperation"`
				Object    map[string]any `json:"unstructuredObj"`
			}
			decode(t, &want, home, group, kind, "actions", test.ExpectedOutputPath)
			expected := []any{map[string]any{"operation": want[0].Operation, "resource": want[0].Object}}
			if got := answer(t, kind, "actions/"+test.Action+"/action.lua", filepath.Join("actions", test.InputPath)); !reflect.DeepEqual(got, any(expected)) {
				t.Errorf("%s %s:\n got %v\nwant %v", test.Action, test.InputPath, got, expected)
			}
		}
		if all := actionsOf(t, kind); !slices.Equal(all, slices.Sorted(slices.Values(tested))) {
			t.Errorf("%s: action_test.yaml tests %v of %v", kind, tested, all)
		}
	}
}

// configuration of Argo CD that has all scripts, as a merge patch of its ConfigMap.
func configuration(t *testing.T) string {
	t.Helper()
	data := map[string]string{}
	for _, kind := range kinds {
		data["resource.customizations.health."+group+"_"+kind] = read(t, home, group, kind, "health.lua")
	}
	for _, kind := range acting {
		var definitions []map[string]string
		for _, name := range actionsOf(t, kind) {
			definitions = append(definitions, map[string]string{"name": name, "action.lua": read(t, home, group, kind, "actions", name, "action.lua")})
		}
		actions, err := yaml.Marshal(map[string]any{"discovery.lua": read(t, home, group, kind, "actions", "discovery.lua"), "definitions": definitions})
		if err != nil {
			t.Fatal(err)
		}
		data["resource.customizations.actions."+group+"_"+kind] = string(actions)
	}
	patch, err := yaml.Marshal(map[string]any{"data": data})
	if err != nil {
		t.Fatal(err)
	}
	return "# Made from the scripts beside it by `go -C test/argocd test . -update`: changes belong there.\n" + string(patch)
}

func TestConfigMap(t *testing.T) {
	want := configuration(t)
	if *update {
		if err := os.WriteFile(configMap, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if read(t, configMap) != want {
		t.Errorf("%s is not made from the scripts: go -C test/argocd test . -update", configMap)
	}
}
