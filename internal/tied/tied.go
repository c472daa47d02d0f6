// Package tied starts processes that do not outlive the one that started them, and keeps their last words.
package tied

import (
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// Start starts a process that is sent a signal when this one dies, however it dies, and returns a channel that is closed when it has
// ended. On Linux it also has a process group of its own: Ctrl-C in a terminal reaches only the starter, which ends it in its own order.
// On other systems nothing sends the signal.
func Start(cmd *exec.Cmd, signal syscall.Signal) (exited <-chan struct{}, err error) {
	tie(cmd, signal)
	ended := make(chan struct{})
	started := make(chan error, 1)
	go func() {
		// The kernel watches the thread that started the process, so that thread waits for it.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err != nil {
			return
		}
		_ = cmd.Wait() // cmd.ProcessState tells
		close(ended)
	}()
	return ended, <-started
}

// Stop asks a process that [Start] has started to end, kills it if that takes longer than within, and returns when it is gone. One that has
// ended already is no error.
func Stop(cmd *exec.Cmd, exited <-chan struct{}, within time.Duration) {
	_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	select {
	case <-exited:
	case <-time.After(within):
		_ = cmd.Process.Kill()
		<-exited
	}
}
