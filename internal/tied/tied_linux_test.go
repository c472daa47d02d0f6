package tied

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"
)

// role is the variable that makes the test's own program start another one and wait to be killed, or be that other one.
const role = "TIED_ROLE"

func TestMain(m *testing.M) {
	switch os.Getenv(role) {
	case "starter":
		self, err := os.Executable()
		if err == nil {
			started := exec.Command(self) //nolint:noctx // what ends it is the test
			started.Env = append(os.Environ(), role+"=started")
			started.Stdout = os.Stdout
			_, err = Start(started, syscall.SIGTERM)
		}
		fmt.Println("started:", err)
		select {}
	case "started":
		<-time.After(10 * time.Second)
		fmt.Println("outlived its starter")
	default:
		os.Exit(m.Run())
	}
}

// A process ends with the one that started it, also when that is killed and cannot see to it.
func TestEndsWithItsStarter(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), role+"=starter")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	said := bufio.NewReader(out)
	if line, err := said.ReadString('\n'); line != "started: <nil>\n" || err != nil {
		t.Fatalf("%q, %v", line, err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	// What it started holds the other end of the pipe for as long as it lives.
	if rest, err := io.ReadAll(said); len(rest) > 0 || err != nil {
		t.Errorf("%q, %v", rest, err)
	}
	_ = cmd.Wait() // killed
}
