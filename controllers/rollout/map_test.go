package rollout_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// planner.md names what holds each rule, by file below controllers/ and name.
const plannerDocument = "../../docs/planner.md"

var quoted = regexp.MustCompile("`([^`]+)`")

// Whatever docs/planner.md names exists, in the file that it names.
func TestPlannerDocumentNamesWhatExists(t *testing.T) {
	files := map[string]map[string]bool{}
	rules := rulesOf(t)
	if len(rules) < 50 {
		t.Fatalf("%d rules in %s", len(rules), plannerDocument)
	}
	for rule, names := range rules {
		for _, name := range names {
			if files[name.file] == nil {
				files[name.file] = declaredIn(t, name.file)
			}
			if !files[name.file][name.name] {
				t.Errorf("%q: %s declares no %s", rule, name.file, name.name)
			}
		}
	}
}

// Every decision, gate and rule of failure of the planner is a rule of
// docs/planner.md: what was added without a sentence is found here.
func TestPlannerDocumentIsWhole(t *testing.T) {
	named := map[string]bool{}
	for _, names := range rulesOf(t) {
		for _, name := range names {
			named[name.name] = true
		}
	}
	rules := append(listed(t, "compute.go", "decisions"), listed(t, "gates.go", "gates")...)
	rules = append(rules, listed(t, "failure.go", "fail")...)
	rules = append(rules, listed(t, "stalled.go", "stalled")...)
	if len(rules) < 30 {
		t.Fatalf("only %v were found in the planner", rules)
	}
	for _, rule := range rules {
		if !named[rule] {
			t.Errorf("%s has no sentence in %s", rule, plannerDocument)
		}
	}
}

type named struct{ file, name string }

// rulesOf the document: what each row of its tables names.
func rulesOf(t *testing.T) map[string][]named {
	t.Helper()
	document, err := os.ReadFile(plannerDocument)
	if err != nil {
		t.Fatal(err)
	}
	rules := map[string][]named{}
	for _, line := range strings.Split(string(document), "\n") {
		cells := strings.Split(line, "|")
		if len(cells) != 4 || strings.HasPrefix(cells[1], "---") || strings.TrimSpace(cells[1]) == "rule" {
			continue
		}
		rule, file := strings.TrimSpace(cells[1]), ""
		for _, match := range quoted.FindAllStringSubmatch(cells[2], -1) {
			if strings.HasSuffix(match[1], ".go") {
				file = match[1]
				continue
			}
			rules[rule] = append(rules[rule], named{file, match[1]})
		}
		if len(rules[rule]) == 0 {
			t.Errorf("%q names nothing", rule)
		}
	}
	return rules
}

func parse(t *testing.T, file string) *ast.File {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

// declaredIn are the functions, methods, types and variables of a file.
func declaredIn(t *testing.T, file string) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	for _, declaration := range parse(t, filepath.Join("..", file)).Decls {
		switch d := declaration.(type) {
		case *ast.FuncDecl:
			names[d.Name.Name] = true
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				switch s := spec.(type) {
				case *ast.TypeSpec:
					names[s.Name.Name] = true
				case *ast.ValueSpec:
					for _, name := range s.Names {
						names[name.Name] = true
					}
				}
			}
		}
	}
	return names
}

// listed are the functions that the list literals of a variable, or in a function,
// are made of.
func listed(t *testing.T, file, name string) []string {
	t.Helper()
	var names []string
	for _, declaration := range parse(t, file).Decls {
		if declares(declaration, name) {
			names = append(names, functionsOf(declaration)...)
		}
	}
	return names
}

func declares(declaration ast.Decl, name string) bool {
	switch d := declaration.(type) {
	case *ast.FuncDecl:
		return d.Name.Name == name
	case *ast.GenDecl:
		value, ok := d.Specs[0].(*ast.ValueSpec)
		return ok && value.Names[0].Name == name
	}
	return false
}

// functionsOf a declaration: f, and v.f, as elements of its lists.
func functionsOf(declaration ast.Decl) []string {
	var names []string
	ast.Inspect(declaration, func(node ast.Node) bool {
		list, ok := node.(*ast.CompositeLit)
		if !ok {
			return true
		}
		for _, element := range list.Elts {
			switch e := element.(type) {
			case *ast.Ident:
				names = append(names, e.Name)
			case *ast.SelectorExpr:
				names = append(names, e.Sel.Name)
			}
		}
		return true
	})
	return names
}
