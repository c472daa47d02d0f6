//go:build unix

package socket

import (
	"net"
	"syscall"
)

// writeAtOnce writes as much of b as the network takes without waiting, and returns how much that is. What has gone wrong shows when the rest is
// written.
func writeAtOnce(nc net.Conn, b []byte) (n int) {
	sc, ok := nc.(syscall.Conn)
	if !ok {
		return 0
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return 0
	}
	_ = raw.Write(func(fd uintptr) bool {
		n, _ = syscall.Write(int(fd), b)
		return true
	})
	return max(n, 0)
}
