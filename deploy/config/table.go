package config

import (
	"encoding"
	"fmt"
	"reflect"
	"strings"
)

// Table is the settings as a Markdown table, for the README.
func Table() string {
	var b strings.Builder
	b.WriteString("| key | environment | default | what it is |\n|---|---|---|---|\n")
	c := Default()
	rows(&b, reflect.ValueOf(c), "", Prefix)
	rows(&b, reflect.ValueOf(Pool{Service: "s3"}), "pools[].", "")
	return b.String()
}

func rows(b *strings.Builder, v reflect.Value, path, prefix string) {
	for i := range v.NumField() {
		f := v.Type().Field(i)
		key := path + f.Tag.Get("yaml")
		doc, isSetting := f.Tag.Lookup("doc")
		switch {
		case isSetting:
			name := "–"
			if prefix != "" {
				name = "`" + prefix + f.Tag.Get("env") + "`"
			}
			fmt.Fprintf(b, "| `%s` | %s | %s | %s |\n", key, name, defaultText(v.Field(i)), doc)
		case f.Type.Kind() == reflect.Struct:
			rows(b, v.Field(i), key+".", prefix+f.Tag.Get("envPrefix"))
		}
	}
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
