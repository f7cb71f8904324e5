// Package argocd runs the scripts of config/argocd as Argo CD runs them, over their tests,
// which are in the format of Argo CD's own.
package argocd

import (
	"fmt"

	lua "github.com/yuin/gopher-lua"
)

// run is what a script returns that is shown an object: nil, booleans, numbers, text,
// []any and map[string]any. It has the libraries that Argo CD gives to the scripts of
// argocd-cm, which are few: there is none for text.
func run(script string, object map[string]any) (any, error) {
	machine := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer machine.Close()
	for name, open := range map[string]lua.LGFunction{
		lua.LoadLibName: lua.OpenPackage, lua.BaseLibName: lua.OpenBase, lua.TabLibName: lua.OpenTable,
	} {
		if err := machine.CallByParam(lua.P{Fn: machine.NewFunction(open), Protect: true}, lua.LString(name)); err != nil {
			return nil, fmt.Errorf("open library %s: %w", name, err)
		}
	}
	machine.SetGlobal("obj", toLua(machine, object))
	if err := machine.DoString(script); err != nil {
		return nil, fmt.Errorf("run the script: %w", err)
	}
	return fromLua(machine.Get(-1))
}

func toLua(machine *lua.LState, value any) lua.LValue {
	switch v := value.(type) {
	case bool:
		return lua.LBool(v)
	case float64:
		return lua.LNumber(v)
	case string:
		return lua.LString(v)
	case []any:
		table := machine.NewTable()
		for _, item := range v {
			table.Append(toLua(machine, item))
		}
		return table
	case map[string]any:
		table := machine.NewTable()
		for key, item := range v {
			table.RawSetString(key, toLua(machine, item))
		}
		return table
	}
	return lua.LNil
}

func fromLua(value lua.LValue) (any, error) {
	switch v := value.(type) {
	case *lua.LNilType:
		return nil, nil
	case lua.LBool:
		return bool(v), nil
	case lua.LNumber:
		return float64(v), nil
	case lua.LString:
		return string(v), nil
	case *lua.LTable:
		return fromTable(v)
	}
	return nil, fmt.Errorf("a %s is nothing that JSON has", value.Type())
}

// fromTable is a list where the table has items, else a map.
func fromTable(table *lua.LTable) (any, error) {
	var failed error
	list, fields := []any{}, map[string]any{}
	table.ForEach(func(key, item lua.LValue) {
		value, err := fromLua(item)
		if err != nil {
			failed = fmt.Errorf("%s: %w", key, err)
		}
		if name, ok := key.(lua.LString); ok {
			fields[string(name)] = value
		} else {
			list = append(list, value)
		}
	})
	switch {
	case failed != nil:
		return nil, failed
	case len(list) > 0 && len(fields) > 0:
		return nil, fmt.Errorf("a table of %d items has fields too", len(list))
	case len(list) > 0:
		return list, nil
	}
	return fields, nil
}
