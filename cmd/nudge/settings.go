package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"
)

// A setting is a flag. Where the command line does not give it, the environment does, else nudge.yaml, else its default.

const (
	flagConfig  = "config"
	defaultFile = "nudge.yaml"
	envPrefix   = "NUDGE_"

	// maxSettingsBytes bounds nudge.yaml. A page of settings is some hundred bytes.
	maxSettingsBytes = 1 << 20
)

// applySettings fills in the flags of cmd that the command line leaves out.
func applySettings(cmd *cobra.Command, lookupEnv func(string) (string, bool)) error {
	path, given := settingsFile(cmd, lookupEnv)
	file, err := readSettings(path, given, knownSettings(cmd.Root()))
	if err != nil {
		return err
	}
	var firstErr error
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if f.Changed || firstErr != nil || !isSetting(f) {
			return
		}
		if v, ok := lookupEnv(envName(f.Name)); ok && v != "" { // set to nothing is not set
			if err := setFlag(f, splitEnv(f, v)); err != nil {
				firstErr = usagef("%s=%s: %w", envName(f.Name), v, err)
			}
		} else if s, ok := file[f.Name]; ok {
			if err := setFlag(f, s.values); err != nil {
				firstErr = usagef("%s:%d: %s: %w", path, s.line, f.Name, err)
			}
		}
	})
	return firstErr
}

// settingsFile says which file to read, and whether somebody asked for it.
func settingsFile(cmd *cobra.Command, lookupEnv func(string) (string, bool)) (path string, given bool) {
	if f := cmd.Flags().Lookup(flagConfig); f != nil && f.Changed {
		return f.Value.String(), true
	}
	if v, ok := lookupEnv(envName(flagConfig)); ok && v != "" {
		return v, true
	}
	return defaultFile, false
}

func isSetting(f *pflag.Flag) bool {
	return f.Name != flagConfig && f.Name != "help" && f.Name != "version"
}

// knownSettings are the flags of all commands: one file serves them all.
func knownSettings(root *cobra.Command) []string {
	var names []string
	for _, cmd := range root.Commands() {
		cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
			if isSetting(f) {
				names = append(names, f.Name)
			}
		})
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func envName(flag string) string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// splitEnv is an environment variable's values: a flag that may be repeated takes them with commas between.
func splitEnv(f *pflag.Flag, v string) []string {
	if _, many := f.Value.(pflag.SliceValue); many {
		return strings.Split(v, ",")
	}
	return []string{v}
}

func setFlag(f *pflag.Flag, values []string) error {
	f.Changed = true
	if many, ok := f.Value.(pflag.SliceValue); ok {
		return many.Replace(values)
	}
	if len(values) != 1 {
		return errors.New("takes one value, not a list")
	}
	return valueError(f.Value.Set(values[0]))
}

// setting is one key of nudge.yaml.
type setting struct {
	values []string
	line   int
}

// readSettings reads the file. A file that nobody asked for may be missing.
func readSettings(path string, given bool, known []string) (map[string]setting, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		if given {
			return nil, usagef("the settings file %s does not exist", path)
		}
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read settings: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxSettingsBytes+1))
	if err != nil {
		return nil, fmt.Errorf("read settings: %w", err)
	}
	if len(text) > maxSettingsBytes {
		return nil, usagef("%s: more than %d bytes", path, maxSettingsBytes)
	}
	return parseSettings(path, text, known)
}

// parseSettings reads a map of flags to texts, numbers, bools or lists of them. All its problems are reported at once.
func parseSettings(path string, text []byte, known []string) (map[string]setting, error) {
	top, err := settingsDocument(path, text)
	if top == nil || err != nil {
		return nil, err
	}
	if top.Kind != yaml.MappingNode {
		return nil, usagef("%s:%d: must be lines of the form `listen: 127.0.0.1:8080`", path, top.Line)
	}
	settings := make(map[string]setting)
	var problems []string
	for i := 0; i+1 < len(top.Content); i += 2 {
		key, value := top.Content[i], top.Content[i+1]
		s, problem := readSetting(key, value, known)
		if _, twice := settings[key.Value]; twice && problem == "" {
			problem = fmt.Sprintf("%q is given twice", key.Value)
		}
		if problem != "" {
			problems = append(problems, fmt.Sprintf("%s:%d:%d: %s", path, key.Line, key.Column, problem))
			continue
		}
		settings[key.Value] = s
	}
	if problems != nil {
		return nil, usagef("%s", strings.Join(problems, "\nnudge: "))
	}
	return settings, nil
}

// settingsDocument is the file's one document, nil where it is empty or holds only comments.
func settingsDocument(path string, text []byte) (top *yaml.Node, err error) {
	for number, d := 1, yaml.NewDecoder(bytes.NewReader(text)); ; number++ {
		var doc yaml.Node
		switch err := d.Decode(&doc); {
		case errors.Is(err, io.EOF):
			return top, nil
		case err != nil:
			return nil, usagef("%s: %s", path, strings.TrimPrefix(err.Error(), "yaml: "))
		}
		root := doc.Content[0]
		switch isEmpty := root.Kind == yaml.ScalarNode && root.Tag == "!!null"; {
		case isEmpty:
		case number > 1:
			return nil, usagef("%s:%d: a second document begins here, behind ---, and would not be read: put all settings into one", path, root.Line)
		default:
			top = root
		}
	}
}

func readSetting(key, value *yaml.Node, known []string) (s setting, problem string) {
	if !slices.Contains(known, key.Value) {
		if near := nearest(key.Value, known); near != "" {
			return s, fmt.Sprintf("unknown setting %q; did you mean %q?", key.Value, near)
		}
		return s, fmt.Sprintf("unknown setting %q; the settings are %s", key.Value, strings.Join(known, ", "))
	}
	items := []*yaml.Node{value}
	if value.Kind == yaml.SequenceNode {
		items = value.Content
	}
	s.line = key.Line
	for _, item := range items {
		if item.Kind != yaml.ScalarNode || item.Tag == "!!null" {
			return s, fmt.Sprintf("%q must be a text, number, bool or a list of them", key.Value)
		}
		s.values = append(s.values, item.Value)
	}
	return s, ""
}
