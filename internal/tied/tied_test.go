package tied

import (
	"os/exec"
	"syscall"
	"testing"
	"time"
)

func TestStart(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), "sh", "-c", "exit 3")
	exited, err := Start(cmd, syscall.SIGTERM)
	if err != nil {
		t.Fatal(err)
	}
	<-exited
	if code := cmd.ProcessState.ExitCode(); code != 3 {
		t.Errorf("exit code %d", code)
	}
	if _, err := Start(exec.CommandContext(t.Context(), "/nowhere"), syscall.SIGTERM); err == nil {
		t.Error("what does not exist starts")
	}
}

func TestStop(t *testing.T) {
	for name, c := range map[string]struct {
		script string
		within time.Duration
		signal syscall.Signal // that ends it, or
		code   int            // its exit code
	}{
		"in order":  {`trap "exit 7" TERM; echo; while :; do sleep 0.01; done`, time.Minute, 0, 7},
		"by force":  {`trap "" TERM; echo; exec sleep 60`, time.Millisecond, syscall.SIGKILL, -1},
		"too late":  {`echo; exit 3`, time.Minute, 0, 3},
		"at a word": {`echo; exec sleep 60`, time.Minute, syscall.SIGTERM, -1},
	} {
		t.Run(name, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), "sh", "-c", c.script)
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			exited, err := Start(cmd, syscall.SIGTERM)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := out.Read(make([]byte, 1)); err != nil { // it is ready
				t.Fatal(err)
			}
			if c.code == 3 {
				<-exited
			}
			Stop(cmd, exited, c.within)
			status, _ := cmd.ProcessState.Sys().(syscall.WaitStatus)
			if code := cmd.ProcessState.ExitCode(); code != c.code || status.Signaled() && status.Signal() != c.signal {
				t.Errorf("%v", cmd.ProcessState)
			}
		})
	}
}
