package config

import (
	"encoding"
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"time"
)

// setting is one leaf of [Config].
type setting struct {
	key, variable string // Variable is empty if only the file can set it
	doc           string
	value         reflect.Value // The default
}

// settings returns all settings in the order of their declaration.
func settings() []setting { return collect(reflect.ValueOf(Default()), "", variablePrefix) }

// element returns the defaults of an element of a list.
func element(list reflect.Type) reflect.Value {
	if list.Elem() == reflect.TypeFor[Pool]() {
		return reflect.ValueOf(defaultPool())
	}
	return reflect.Zero(list.Elem())
}

func collect(v reflect.Value, path, prefix string) (all []setting) {
	for i := range v.NumField() {
		f := v.Type().Field(i)
		s := setting{key: path + f.Tag.Get("yaml"), value: v.Field(i)}
		if prefix != "" {
			s.variable = prefix + f.Tag.Get("env")
		}
		var isSetting bool
		if s.doc, isSetting = f.Tag.Lookup("doc"); isSetting {
			all = append(all, s)
			continue
		}
		switch f.Type.Kind() {
		case reflect.Struct:
			all = append(all, collect(v.Field(i), s.key+".", prefix+f.Tag.Get("envPrefix"))...)
		case reflect.Slice: // Only the file can set its elements.
			all = append(all, collect(element(f.Type), s.key+"[].", "")...)
		default:
		}
	}
	return all
}

// want describes a valid value, for an error.
func (s setting) want() string {
	switch s.value.Interface().(type) {
	case time.Duration:
		return "a duration such as 5s"
	case Size, *Size:
		return "a size such as 32MiB"
	case []netip.Prefix:
		return "networks such as 10.0.0.0/8"
	case []string:
		return "a list"
	case bool:
		return "true or false"
	case float64:
		return "a number such as 0.045"
	case int:
		return "a whole number"
	default:
		return "text"
	}
}

// Table returns the settings as a Markdown table for the docs.
func Table() string {
	var b strings.Builder
	b.WriteString("| key | environment | default | what it is |\n|---|---|---|---|\n")
	for _, s := range settings() {
		variable := "–"
		if s.variable != "" {
			variable = "`" + s.variable + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", s.key, variable, defaultText(s.value), s.doc)
	}
	return b.String()
}

func defaultText(v reflect.Value) string {
	if v.IsZero() && v.Kind() != reflect.Bool && v.Kind() != reflect.Int || v.Kind() == reflect.Slice {
		return ""
	}
	if m, ok := reflect.TypeAssert[encoding.TextMarshaler](v); ok {
		if text, err := m.MarshalText(); err == nil {
			return "`" + string(text) + "`"
		}
	}
	return fmt.Sprintf("`%v`", v.Interface())
}
