package live

import (
	"context"
	"sync"
	"time"
)

const (
	maxWorkers  = 64
	taskTimeout = 5 * time.Second
)

// background runs tasks that read from outside: in order, bounded in number and each in time. Safe for concurrent use.
type background struct {
	life context.Context // of every task
	end  context.CancelFunc

	mu      sync.Mutex
	idle    sync.Cond
	queue   []func(context.Context)
	workers int
	stopped bool
}

func newBackground() *background {
	b := new(background)
	b.life, b.end = context.WithCancel(context.Background())
	b.idle.L = &b.mu
	return b
}

// Do runs task soon. It does not block.
func (b *background) Do(task func(context.Context)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.stopped {
		return
	}
	b.queue = append(b.queue, task)
	if b.workers < maxWorkers {
		b.workers++
		go b.work()
	}
}

func (b *background) work() {
	for {
		b.mu.Lock()
		if len(b.queue) == 0 {
			b.queue = nil
			b.workers--
			b.idle.Broadcast()
			b.mu.Unlock()
			return
		}
		task := b.queue[0]
		b.queue[0], b.queue = nil, b.queue[1:]
		b.mu.Unlock()
		ctx, cancel := context.WithTimeout(b.life, taskTimeout)
		task(ctx)
		cancel()
	}
}

// Stop drops the tasks that have not begun, lets no more in, cancels the others and waits for them.
func (b *background) Stop() {
	b.end()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stopped, b.queue = true, nil
	for b.workers > 0 {
		b.idle.Wait()
	}
}
