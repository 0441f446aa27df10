package bench

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// Machine is what a figure depends on most.
type Machine struct {
	CPU    string  `json:"cpu"`
	Cores  int     `json:"cores"`
	Procs  int     `json:"gomaxprocs"`
	Kernel string  `json:"kernel"`
	Go     string  `json:"go"`
	Load   string  `json:"load_before"`              // load average of one minute before the first round: a busy machine says so
	Sync   float64 `json:"sync_micros_p50,omitzero"` // writing and syncing 4 KiB in the data folder, where a level uses one
}

func thisMachine() Machine {
	m := Machine{
		CPU: runtime.GOARCH, Cores: runtime.NumCPU(), Procs: runtime.GOMAXPROCS(0), Go: runtime.Version(),
		Kernel: strings.TrimSpace(runtime.GOOS + " " + firstLine("/proc/sys/kernel/osrelease")),
	}
	if info, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(info)) {
			if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
				m.CPU = strings.Join(strings.Fields(value), " ")
				break
			}
		}
	}
	m.Load, _, _ = strings.Cut(firstLine("/proc/loadavg"), " ")
	return m
}

// firstLine is "" where the system has no such file.
func firstLine(path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	line, _, _ := strings.Cut(string(b), "\n")
	return line
}

func (m *Machine) String() string {
	s := fmt.Sprintf("%s of %s, GOMAXPROCS %d, %s, %s", plural(m.Cores, "core"), m.CPU, m.Procs, m.Kernel, m.Go)
	if m.Load != "" {
		s += ", load before: " + m.Load
	}
	if m.Sync > 0 {
		s += ", one sync of 4 KiB: " + Micros.text(m.Sync)
	}
	return s
}

// syncs is how often measureSync syncs.
const syncs = 51

// measureSync says what one durable write costs in a folder: the floor under every answer that waits for the disk.
func (m *Machine) measureSync(dir string) error {
	f, err := os.Create(filepath.Join(dir, "sync"))
	if err != nil {
		return err
	}
	defer f.Close()
	page := make([]byte, 4096)
	var took []time.Duration
	for i := range syncs {
		began := time.Now()
		if _, err := f.WriteAt(page, int64(i)*int64(len(page))); err != nil {
			return err
		}
		if err := f.Sync(); err != nil {
			return err
		}
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	m.Sync = float64(took[syncs/2]) / float64(time.Microsecond)
	return nil
}
