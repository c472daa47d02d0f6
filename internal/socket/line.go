package socket

import (
	"bufio"
	"bytes"
	"errors"
	"net"
	"net/http"
	"sync"
	"time"
)

// maxIntake is how many bytes may come in for one message, framing included: a message of full size in few fragments.
const maxIntake = 4 * readLimit

var errFlood = errors.New("more framing than message")

// line is the network as gorilla sees it. What gorilla writes queues up, without waiting, for the conn to send it on. Reading fails when too much
// comes in before anything counts as a message or as a control frame: gorilla skips fragments without content, however many there are.
type line struct {
	net.Conn

	// Of whoever reads.
	ahead *bufio.Reader // what gorilla reads from
	taken int           // bytes since the last frame that counts

	mu     sync.Mutex    // gorilla answers what it reads by itself when that breaks the protocol or says goodbye
	queue  *bytes.Buffer // nil if it is empty
	queued int           // writes, of which gorilla needs one for a frame of usual size
}

// buffers are for what comes and for what goes.
var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// release gives a buffer back, unless it has grown beyond what is usual.
func release(b *bytes.Buffer) {
	if b.Cap() <= writeBuffer {
		b.Reset()
		buffers.Put(b)
	}
}

// Read implements [net.Conn].
func (l *line) Read(p []byte) (int, error) {
	n, err := l.Conn.Read(p)
	if l.taken += n; l.taken > maxIntake && err == nil {
		err = errFlood
	}
	return n, err
}

// Write implements [net.Conn].
func (l *line) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.queue == nil {
		l.queue = buffers.Get().(*bytes.Buffer) //nolint:forcetypeassert // the pool holds nothing else
	}
	l.queued++
	return l.queue.Write(p)
}

// SetWriteDeadline implements [net.Conn]. Nothing that gorilla writes takes time: whoever sends it on has a deadline.
func (*line) SetWriteDeadline(time.Time) error { return nil }

// take empties the queue and returns what was in it, nil if that is nothing.
func (l *line) take() *bytes.Buffer {
	l.mu.Lock()
	defer l.mu.Unlock()
	taken := l.queue
	l.queue, l.queued = nil, 0
	return taken
}

// full reports whether so many bytes more are too many.
func (l *line) full(more int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.queued >= maxQueued || l.queue != nil && l.queue.Len()+more > maxQueuedBytes
}

// hijacker puts a line between net/http's connection and gorilla, which reads from the buffer that it is given with a connection.
type hijacker struct {
	http.ResponseWriter
	line *line
}

// Hijack implements [http.Hijacker].
func (h *hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	nc, server, err := http.NewResponseController(h.ResponseWriter).Hijack()
	if err != nil || server.Reader.Buffered() > 0 { // which gorilla refuses
		return nc, server, err
	}
	h.line.Conn, h.line.ahead = nc, bufio.NewReaderSize(h.line, readBuffer)
	return h.line, bufio.NewReadWriter(h.line.ahead, server.Writer), nil
}
