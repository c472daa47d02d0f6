package wiring

import (
	"bytes"
	"io"
	"sync"
	"time"
)

// output writes lines, in the order in which they come and without tokens: no code here logs one, but an error of a library may quote a
// request, and so each line is looked at as a whole, whatever value it came from. A write is dear beside what else there is to do for a
// request, so lines that may wait are held until there are many, or [output.wait] is over, or one comes that may not.
type output struct {
	w    io.Writer
	wait time.Duration // how long a line is held at most; zero: none is

	mu   sync.Mutex
	held []byte
	due  bool // a timer will flush
}

const (
	maxWait = 20 * time.Millisecond
	maxHeld = 32 << 10 // bytes
)

// Write implements [io.Writer] for a line that may not wait.
func (o *output) Write(line []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.held = append(o.held, line...)
	if err := o.flush(); err != nil {
		return 0, err
	}
	return len(line), nil
}

// Later is Write for a line that may wait. What becomes of it, nobody is told.
func (o *output) Later(line []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.held = append(o.held, line...)
	switch {
	case o.wait == 0 || len(o.held) >= maxHeld:
		_ = o.flush() // as for all lines: there is nobody else to tell
	case !o.due:
		o.due = true
		time.AfterFunc(o.wait, func() {
			o.mu.Lock()
			defer o.mu.Unlock()
			o.due = false
			_ = o.flush() // the same
		})
	}
}

// Flush writes what is held.
func (o *output) Flush() {
	o.mu.Lock()
	defer o.mu.Unlock()
	_ = o.flush() // the same
}

// flush writes what is held. The caller holds o.mu.
func (o *output) flush() error {
	if len(o.held) == 0 {
		return nil
	}
	_, err := o.w.Write(Redact(o.held))
	if o.held = o.held[:0]; cap(o.held) > 2*maxHeld {
		o.held = nil
	}
	return err
}

// tokenMask stands in a line for a token. It keeps the first letters that all tokens have, so that a search for them still finds the leak.
const tokenMask = "eyJ…"

// Redact returns lines with a mask in place of every JWT, whole or cut off: of what begins as one, with {" in base64url, and has a dot in it.
func Redact(lines []byte) []byte {
	var clean []byte
	written := 0
	for at := 0; ; {
		i := bytes.IndexByte(lines[at:], 'J') // the rarest of the three letters
		if i < 0 {
			break
		}
		at += i + 1
		begin := at - len("eyJ")
		if begin < written || string(lines[begin:at]) != "eyJ" {
			continue
		}
		for at < len(lines) && isTokenByte(lines[at]) {
			at++
		}
		if bytes.IndexByte(lines[begin:at], '.') >= 0 {
			clean = append(append(clean, lines[written:begin]...), tokenMask...)
			written = at
		}
	}
	if clean == nil {
		return lines
	}
	return append(clean, lines[written:]...)
}

// isTokenByte accepts base64url and the dots between its parts.
func isTokenByte(b byte) bool {
	return b >= 'A' && b <= 'Z' || b >= 'a' && b <= 'z' || b >= '0' && b <= '9' || b == '-' || b == '_' || b == '.'
}
