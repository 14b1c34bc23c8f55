package strictjson

import (
	"encoding"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// decoder puts a text that was checked already into Go values, in a second pass.
type decoder struct {
	scanner
	fields map[reflect.Type][]field // of the structs seen so far
}

// raw reads one value and returns it as it was written.
func (d *decoder) raw() string {
	start := d.at
	d.value(0, nil) // inside what was checked, so neither depth nor anything else is new
	return d.data[start:d.at]
}

// next returns the first byte of the value that is to be read.
func (d *decoder) next() byte {
	if d.at < len(d.data) {
		return d.data[d.at]
	}
	return 0
}

func (d *decoder) wrongType(t reflect.Type) error {
	return &Error{Kind: WrongType, Detail: "expected " + t.String() + ", got " + kindName(d.data[d.at:])}
}

// into reads one value into v.
func (d *decoder) into(v reflect.Value) error {
	null := d.next() == 'n'
	if v.Kind() == reflect.Pointer {
		if null {
			d.raw()
			v.SetZero()
			return nil
		}
		if v.IsNil() {
			v.Set(reflect.New(v.Type().Elem()))
		}
		return d.into(v.Elem())
	}
	if t := v.Type(); v.CanAddr() && (t.PkgPath() != "" || t.Kind() == reflect.Struct) { // it may have methods
		switch u := v.Addr().Interface().(type) {
		case *json.Number:
			return d.number(u, v.Type())
		case json.Unmarshaler:
			return d.own(v.Type(), u.UnmarshalJSON)
		case encoding.TextUnmarshaler:
			if null {
				break
			}
			text, err := d.string(v.Type())
			if err != nil {
				return err
			}
			return foreign(u.UnmarshalText([]byte(text)), v.Type())
		}
	}
	if null {
		d.raw()
		v.SetZero()
		return nil
	}
	switch v.Kind() {
	case reflect.String:
		text, err := d.string(v.Type())
		v.SetString(text)
		return err
	case reflect.Bool:
		if c := d.next(); c != 't' && c != 'f' {
			return d.wrongType(v.Type())
		}
		v.SetBool(d.raw() == "true")
		return nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr, reflect.Float32, reflect.Float64:
		return d.numeric(v)
	case reflect.Struct:
		return d.structure(v)
	case reflect.Map:
		return d.dictionary(v)
	case reflect.Slice:
		return d.list(v)
	case reflect.Array:
		return d.array(v)
	case reflect.Interface:
		if v.NumMethod() > 0 {
			break
		}
		a, err := d.any()
		if err == nil {
			v.Set(reflect.ValueOf(&a).Elem())
		}
		return err
	}
	return fmt.Errorf("strictjson: no value of type %s can be decoded", v.Type())
}

// own lets a type read its value itself.
func (d *decoder) own(t reflect.Type, unmarshal func([]byte) error) error {
	text := d.raw()
	return foreign(unmarshal([]byte(text)), t)
}

// foreign is the error of a type's own method. Its words are dropped, because they
// may quote the value.
func foreign(err error, t reflect.Type) error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return &Error{Kind: e.Kind, Path: e.Path, Detail: e.Detail}
	}
	return &Error{Kind: WrongType, Detail: "expected " + t.String()}
}

func (d *decoder) string(t reflect.Type) (string, error) {
	if d.next() != '"' {
		return "", d.wrongType(t)
	}
	text, _ := Text(d.raw())
	return d.keep(text), nil
}

// shortText is up to which length, in bytes, a text may be kept whole for the sake
// of a string that is a part of it.
const shortText = 4 << 10

// keep returns part, which is a part of the text.
func (d *decoder) keep(part string) string {
	if len(d.data) <= shortText {
		return part
	}
	return strings.Clone(part)
}

func (d *decoder) isNumber() bool {
	c := d.next()
	return c == '-' || '0' <= c && c <= '9'
}

func (d *decoder) number(to *json.Number, t reflect.Type) error {
	switch {
	case d.next() == 'n':
		d.raw()
		*to = ""
	case d.isNumber():
		*to = json.Number(d.keep(d.raw()))
	default:
		return d.wrongType(t)
	}
	return nil
}

func (d *decoder) numeric(v reflect.Value) error {
	if !d.isNumber() {
		return d.wrongType(v.Type())
	}
	text, size := d.raw(), v.Type().Bits()
	var err error
	switch {
	case v.CanInt():
		var n int64
		n, err = strconv.ParseInt(text, 10, size)
		v.SetInt(n)
	case v.CanUint():
		var n uint64
		n, err = strconv.ParseUint(text, 10, size)
		v.SetUint(n)
	default:
		var n float64
		n, err = strconv.ParseFloat(text, size)
		v.SetFloat(n)
	}
	switch {
	case errors.Is(err, strconv.ErrRange):
		return &Error{Kind: OutOfRange, Detail: "expected " + v.Type().String() + ", got number"}
	case err != nil:
		return &Error{Kind: WrongType, Detail: "expected " + v.Type().String() + ", got number"}
	}
	return nil
}

// members calls each for each member of an object, whose brace is there, with the
// value still to be read.
func (d *decoder) members(each func(name string) error) error {
	for d.at++; ; {
		if d.space(); d.take('}') {
			return nil
		}
		d.take(',')
		d.space()
		name, _ := Text(d.raw())
		d.space()
		d.take(':')
		d.space()
		if err := each(name); err != nil {
			return inside(err, name)
		}
	}
}

// elements is the same for an array.
func (d *decoder) elements(each func(n int) error) error {
	n := 0
	for d.at++; ; n++ {
		if d.space(); d.take(']') {
			return nil
		}
		d.take(',')
		d.space()
		if err := each(n); err != nil {
			return inside(err, strconv.Itoa(n))
		}
	}
}

// inside says where in a text an error is.
func inside(err error, segment string) error {
	if e, ok := err.(*Error); ok {
		e.Path = below(segment, e.Path)
	}
	return err
}

func (d *decoder) structure(v reflect.Value) error {
	if d.next() != '{' {
		return d.wrongType(v.Type())
	}
	fields := d.fieldsOf(v.Type())
	return d.members(func(name string) error {
		for i := range fields {
			if fields[i].name == name {
				return d.member(v, &fields[i])
			}
		}
		d.raw()
		return nil
	})
}

// member reads one value into a field, through embedded pointers.
func (d *decoder) member(v reflect.Value, f *field) error {
	for n, i := range f.index {
		if n > 0 && v.Kind() == reflect.Pointer {
			if v.IsNil() {
				if !v.CanSet() {
					return fmt.Errorf("strictjson: the embedded %s is nil and not exported", v.Type())
				}
				v.Set(reflect.New(v.Type().Elem()))
			}
			v = v.Elem()
		}
		v = v.Field(i)
	}
	if f.quoted && d.next() == '"' {
		text, _ := Text(d.raw())
		inner := decoder{scanner: scanner{data: text}, fields: d.fields}
		if check(text) != nil {
			return &Error{Kind: WrongType, Detail: "expected " + v.Type().String() + " in a string"}
		}
		return inner.into(v)
	}
	return d.into(v)
}

func (d *decoder) dictionary(v reflect.Value) error {
	t := v.Type()
	if t.Key().Kind() != reflect.String {
		return fmt.Errorf("strictjson: no value of type %s can be decoded: its keys are no strings", t)
	}
	if d.next() != '{' {
		return d.wrongType(t)
	}
	if v.IsNil() {
		v.Set(reflect.MakeMap(t))
	}
	return d.members(func(name string) error {
		value := reflect.New(t.Elem()).Elem()
		if err := d.into(value); err != nil {
			return err
		}
		v.SetMapIndex(reflect.ValueOf(d.keep(name)).Convert(t.Key()), value)
		return nil
	})
}

func (d *decoder) list(v reflect.Value) error {
	t := v.Type()
	if t.Elem().Kind() == reflect.Uint8 { // as encoding/json writes it
		text, err := d.string(t)
		if err != nil {
			return err
		}
		b, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return &Error{Kind: WrongType, Detail: "expected base64"}
		}
		v.SetBytes(b)
		return nil
	}
	if d.next() != '[' {
		return d.wrongType(t)
	}
	v.Set(reflect.MakeSlice(t, 0, 0))
	return d.elements(func(n int) error {
		v.Grow(1)
		v.SetLen(n + 1)
		v.Index(n).SetZero()
		return d.into(v.Index(n))
	})
}

func (d *decoder) array(v reflect.Value) error {
	if d.next() != '[' {
		return d.wrongType(v.Type())
	}
	length := 0
	err := d.elements(func(n int) error {
		if length = n + 1; n >= v.Len() {
			d.raw()
			return nil
		}
		return d.into(v.Index(n))
	})
	if err == nil && length != v.Len() {
		return &Error{Kind: WrongType, Detail: "expected " + v.Type().String() + ", got " + strconv.Itoa(length) + " elements"}
	}
	return err
}

// any reads one value as encoding/json does into an empty interface.
func (d *decoder) any() (any, error) {
	switch d.next() {
	case '"':
		return d.string(nil)
	case '{':
		m := make(map[string]any)
		err := d.members(func(name string) error {
			v, err := d.any()
			m[d.keep(name)] = v
			return err
		})
		return m, err
	case '[':
		list := []any{}
		err := d.elements(func(int) error {
			v, err := d.any()
			list = append(list, v)
			return err
		})
		return list, err
	case 't', 'f':
		return d.raw() == "true", nil
	case 'n':
		d.raw()
		return nil, nil
	}
	n, err := strconv.ParseFloat(d.raw(), 64)
	if err != nil {
		return nil, &Error{Kind: OutOfRange, Detail: "expected a number that a float64 can hold"}
	}
	return n, nil
}

// field is one field of a struct, or of a struct that is embedded in it.
type field struct {
	name   string
	index  []int
	quoted bool // the option "string": a number or boolean in a string
}

// fieldsOf lists the fields by the rules of encoding/json, save that a name is
// matched exactly. Of two fields of one name the one that is embedded less deeply
// counts, or the first.
func (d *decoder) fieldsOf(t reflect.Type) []field {
	if known, ok := d.fields[t]; ok {
		return known
	}
	fields := appendFields(make([]field, 0, t.NumField()), nil, []reflect.Type{t})
	if d.fields == nil {
		d.fields = make(map[reflect.Type][]field)
	}
	d.fields[t] = fields
	return fields
}

// appendFields adds those of the last type of path, which lies in the ones before
// it, at that index in the first.
func appendFields(fields []field, at []int, path []reflect.Type) []field {
	t := path[len(path)-1]
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, more := strings.Cut(f.Tag.Get("json"), ",")
		if name == "-" && !more {
			continue
		}
		index := f.Index // of one
		if len(at) > 0 {
			index = append(slices.Clone(at), i)
		}
		if f.Anonymous && name == "" {
			inner := f.Type
			if inner.Kind() == reflect.Pointer {
				inner = inner.Elem()
			}
			if inner.Kind() == reflect.Struct {
				if !slices.Contains(path, inner) { // what is deeper has the same names
					fields = appendFields(fields, index, append(slices.Clone(path), inner))
				}
				continue
			}
		}
		if !f.IsExported() {
			continue
		}
		if name == "" {
			name = f.Name
		}
		this := field{name: name, index: index, quoted: options != "" && slices.Contains(strings.Split(options, ","), "string")}
		if known := slices.IndexFunc(fields, func(f field) bool { return f.name == name }); known < 0 {
			fields = append(fields, this)
		} else if len(index) < len(fields[known].index) {
			fields[known] = this
		}
	}
	return fields
}
