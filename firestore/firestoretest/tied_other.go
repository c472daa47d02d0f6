//go:build !linux

package firestoretest

import "os/exec"

// startTied starts a process and closes exited when it has ended. Only [Main] and the end of a test kill it.
func startTied(cmd *exec.Cmd, exited chan<- struct{}) error {
	if err := cmd.Start(); err != nil {
		return err
	}
	go func() {
		_ = cmd.Wait()
		close(exited)
	}()
	return nil
}
