package tied

import (
	"os/exec"
	"syscall"
	"testing"
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
