package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// configName is the configuration file in the home directory.
const configName = "config.json"

// settle gives each flag that was not on the command line the value of its
// variable, RELY_ and its name, or else that of the configuration file.
func (a *app) settle(cmd *cobra.Command) error {
	a.given = make(map[string]bool)
	cmd.Flags().Visit(func(f *pflag.Flag) { a.given[f.Name] = true })
	fromEnv := func(f *pflag.Flag) error {
		v := a.Getenv(variableOf(f.Name))
		if f.Changed || v == "" || !settable(f) {
			return nil
		}
		if err := cmd.Flags().Set(f.Name, v); err != nil {
			return usage(nil, fmt.Errorf("%s: %s is no value for --%s", variableOf(f.Name), quoted(v), f.Name))
		}
		return nil
	}
	var err error
	each(cmd, func(f *pflag.Flag) {
		if err == nil {
			err = fromEnv(f)
		}
	})
	if err != nil {
		return err
	}
	values, name, err := a.configuration()
	if err != nil {
		return err
	}
	known := make(map[string]bool)
	for _, c := range allCommands(cmd.Root()) {
		each(c, func(f *pflag.Flag) { known[f.Name] = settable(f) })
	}
	for key, value := range values {
		if !known[key] {
			return usage(nil, fmt.Errorf("%s: %s is no setting; settings are the names of flags", name, quoted(key)))
		}
		f := cmd.Flags().Lookup(key)
		if f == nil || f.Changed {
			continue
		}
		texts, err := settingTexts(value)
		if err != nil {
			return usage(nil, fmt.Errorf("%s: %s: %w", name, key, err))
		}
		for _, t := range texts {
			if cmd.Flags().Set(key, t) != nil {
				return usage(nil, fmt.Errorf("%s: %s is no value for %s", name, quoted(t), key))
			}
		}
	}
	return nil
}

func each(cmd *cobra.Command, visit func(*pflag.Flag)) {
	cmd.Flags().VisitAll(visit)
	cmd.InheritedFlags().VisitAll(visit)
}

func allCommands(c *cobra.Command) []*cobra.Command {
	all := []*cobra.Command{c}
	for _, sub := range c.Commands() {
		all = append(all, allCommands(sub)...)
	}
	return all
}

// settable excludes the flags that ask for something else than the command.
func settable(f *pflag.Flag) bool { return f.Name != "help" }

// variableOf is the environment variable of a flag.
func variableOf(flag string) string {
	return "RELY_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// configuration reads the configuration file: one JSON object whose members are
// named like flags. Only a file that was asked for must be there.
func (a *app) configuration() (map[string]json.RawMessage, string, error) {
	name := a.flags.config
	if name == "" {
		dir, err := a.home()
		if err != nil {
			return nil, "", nil // commands that need the directory say so
		}
		name = filepath.Join(dir, configName)
	}
	b, err := readFile(name)
	if errors.Is(err, fs.ErrNotExist) && a.flags.config == "" {
		return nil, name, nil
	}
	if err != nil {
		return nil, name, usage(nil, wrapf(err, "the configuration"))
	}
	values, err := uniqueMembers(b)
	if err != nil {
		return nil, name, usage(nil, fmt.Errorf("%s: %w", name, err))
	}
	return values, name, nil
}

// uniqueMembers reads one JSON object and refuses a name that occurs twice:
// which of the two would hold is a guess.
func uniqueMembers(b []byte) (map[string]json.RawMessage, error) {
	d := json.NewDecoder(bytes.NewReader(b))
	bad := errors.New(`expected one JSON object, like {"timeout": "20s", "ca-file": "ca.pem"}`)
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, bad
	}
	out := make(map[string]json.RawMessage)
	for d.More() {
		t, err := d.Token()
		key, ok := t.(string)
		if err != nil || !ok {
			return nil, bad
		}
		if _, twice := out[key]; twice {
			return nil, fmt.Errorf("%s is set twice", quoted(key))
		}
		var v json.RawMessage
		if err := d.Decode(&v); err != nil {
			return nil, bad
		}
		out[key] = v
	}
	if _, err := d.Token(); err != nil {
		return nil, bad
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, bad
	}
	return out, nil
}

// settingTexts is a JSON value as the command line would have it.
func settingTexts(v json.RawMessage) ([]string, error) {
	var text string
	var list []string
	switch {
	case json.Unmarshal(v, &text) == nil:
		return []string{text}, nil
	case json.Unmarshal(v, &list) == nil && list != nil:
		return list, nil
	}
	text = string(bytes.TrimSpace(v))
	if text == "null" || strings.HasPrefix(text, "{") || strings.HasPrefix(text, "[") {
		return nil, errors.New("expected a string, number, boolean or list of strings")
	}
	return []string{text}, nil
}

// absolute makes a file name that stays right in another directory. One that
// cannot be made so stays as it is.
func absolute(name string) string {
	if abs, err := filepath.Abs(name); err == nil {
		return abs
	}
	return name
}

// secretFrom reads a secret that was asked for by a file name, "-" for standard
// input, or an environment variable; a terminal is asked without echo if there
// is no other. It returns "" where none was given and prompt is empty.
func (a *app) secretFrom(flag, file, variable, prompt string) (string, error) {
	var b []byte
	var err error
	switch {
	case file == "-":
		if b, err = a.readSecret(prompt); err != nil {
			return "", usage(nil, wrapf(err, "--%s -", flag))
		}
	case file != "":
		if b, err = readFile(file); err != nil {
			return "", usage(nil, wrapf(err, "--%s", flag))
		}
	case variable != "":
		return a.Getenv(variable), nil
	}
	s := strings.TrimRight(string(b), "\r\n")
	if s == "" && file != "" {
		return "", usage(nil, fmt.Errorf("--%s %s holds nothing", flag, file))
	}
	if strings.ContainsAny(s, "\r\n\x00") {
		return "", usage(nil, fmt.Errorf("--%s %s has more than one line", flag, file))
	}
	return s, nil
}

// writeFile writes a file for the user, wholly or not at all.
func writeFile(name string, b []byte, mode os.FileMode) (err error) {
	f, err := os.CreateTemp(filepath.Dir(name), ".rely-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	_, err = f.Write(b)
	if err == nil {
		err = f.Chmod(mode)
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}
