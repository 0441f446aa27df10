package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// settingsRig is a command with a flag of each kind, and a brother with one that it does not have.
func settingsRig(t *testing.T, file string, env map[string]string, commandLine ...string) (*cobra.Command, error) {
	t.Helper()
	t.Chdir(t.TempDir())
	if file != "" {
		if err := os.WriteFile(defaultFile, []byte(file), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	lookup := func(name string) (string, bool) { v, ok := env[name]; return v, ok }
	root := &cobra.Command{Use: "nudge", SilenceErrors: true, SilenceUsage: true}
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error { return applySettings(cmd, lookup) }
	root.PersistentFlags().String(flagConfig, "", "")
	one := &cobra.Command{Use: "one", Run: func(*cobra.Command, []string) {}}
	one.Flags().String("log-max", "default", "")
	one.Flags().Int("shards", 1, "")
	one.Flags().Bool("drain", false, "")
	one.Flags().StringArray("map", nil, "")
	two := &cobra.Command{Use: "two", Run: func(*cobra.Command, []string) {}}
	two.Flags().String("listen", "", "")
	root.AddCommand(one, two)
	root.SetArgs(append([]string{"one"}, commandLine...))
	return one, root.Execute()
}

func TestSettingsPrecedence(t *testing.T) {
	env := map[string]string{"NUDGE_LOG_MAX": "env", "NUDGE_MAP": "a=b,c=d"}
	for _, tt := range []struct {
		name, file string
		env        map[string]string
		line       []string
		flag, want string
	}{
		{"default", "", nil, nil, "log-max", "default"},
		{"file", "log-max: file", nil, nil, "log-max", "file"},
		{"environment over file", "log-max: file", env, nil, "log-max", "env"},
		{"flag over all", "log-max: file", env, []string{"--log-max", "flag"}, "log-max", "flag"},
		{"number", "shards: 8", nil, nil, "shards", "8"},
		{"bool", "drain: true", nil, nil, "drain", "true"},
		{"list", "map: [a=b, c=d]", nil, nil, "map", "[a=b,c=d]"},
		{"list of one", "map: a=b", nil, nil, "map", "[a=b]"},
		{"list in the environment", "", env, nil, "map", "[a=b,c=d]"},
		{"an empty variable is none", "log-max: file", map[string]string{"NUDGE_LOG_MAX": ""}, nil, "log-max", "file"},
		{"a key of another command", "listen: :80\nshards: 2", nil, nil, "shards", "2"},
		{"only a comment", "# nothing", nil, nil, "shards", "1"},
		{"a document between its marks", "---\nshards: 2\n---\n# nothing\n", nil, nil, "shards", "2"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cmd, err := settingsRig(t, tt.file, tt.env, tt.line...)
			if err != nil {
				t.Fatal(err)
			}
			if got := cmd.Flags().Lookup(tt.flag).Value.String(); got != tt.want {
				t.Errorf("--%s is %s, want %s", tt.flag, got, tt.want)
			}
		})
	}
}

func TestSettingsProblems(t *testing.T) {
	for _, tt := range []struct {
		name, file string
		env        map[string]string
		line       []string
		want       string
	}{
		{"typo", "shards: 1\nlisten: x\nlog-mux: 3", nil, nil, `nudge.yaml:3:1: unknown setting "log-mux"; did you mean "log-max"?`},
		{"nothing near", "colour: red", nil, nil, `unknown setting "colour"; the settings are drain, listen, log-max, map, shards`},
		{"all at once", "shard: 1\nlog-mux: 3", nil, nil, "nudge.yaml:2:1"},
		{"wrong type", "shards: many", nil, nil, "nudge.yaml:1: shards: give a whole number"},
		{"list where one is due", "shards: [1, 2]", nil, nil, "takes one value, not a list"},
		{"nested", "shards: {a: 1}", nil, nil, `"shards" must be a text, number, bool or a list of them`},
		{"twice", "shards: 1\nshards: 2", nil, nil, "nudge.yaml:"},
		{"no map", "- shards", nil, nil, "must be lines of the form"},
		{"no YAML", "a: [", nil, nil, "nudge.yaml: "},
		{"environment", "", map[string]string{"NUDGE_SHARDS": "x"}, nil, "NUDGE_SHARDS=x: give a whole number"},
		{"missing file", "", nil, []string{"--config", "other.yaml"}, "the settings file other.yaml does not exist"},
		{"another document", "shards: 1\n---\nmap: a=b", nil, nil, "nudge.yaml:3: a second document begins here, behind ---, and would not be read: put all settings into one"},
		{"behind an empty one", "# none\n---\n---\nshards: 2", nil, nil, "nudge.yaml:4: a second document"},
		{"torn behind the first", "shards: 1\n---\na: [", nil, nil, "nudge.yaml: "},
		{"too large", "#" + strings.Repeat("x", maxSettingsBytes), nil, nil, "more than 1048576 bytes"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := settingsRig(t, tt.file, tt.env, tt.line...)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("error %v, want %q", err, tt.want)
			}
			if exitCode(err) != exitUsage {
				t.Errorf("exit code %d", exitCode(err))
			}
		})
	}
}

func TestConfigFlagReadsAnotherFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "other.yaml")
	if err := os.WriteFile(path, []byte("shards: 5"), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd, err := settingsRig(t, "shards: 3", nil, "--config", path)
	if err != nil {
		t.Fatal(err)
	}
	if got := cmd.Flags().Lookup("shards").Value.String(); got != "5" {
		t.Errorf("--shards is %s, want 5", got)
	}
}
