package inputfile

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// blockSize is how much is read at once, in bytes.
const blockSize = 64 << 10

// input is an open file.
type input struct {
	ctx    context.Context //nolint:containedctx // io.Reader takes none
	opener *Opener
	path   string
	limit  time.Duration // of one system call; 0: none
	file   stream

	block, rest []byte // rest is what has not been taken of block
	err         error  // of the last read
	abandoned   bool   // a read has not returned, and closes the file when it does
}

// Read implements io.Reader. After an error it returns that error only: a call
// that has not returned may still write to the block.
func (f *input) Read(p []byte) (int, error) {
	if len(f.rest) == 0 && f.err == nil {
		if f.block == nil {
			f.block = make([]byte, blockSize)
		}
		var n int
		n, f.err = await(f.ctx, f.opener, f.path, f.limit, func() (int, error) { return f.file.Read(f.block) },
			func(int) { _ = f.file.Close() })
		f.abandoned = errors.Is(f.err, errAbandoned)
		f.rest = f.block[:n]
	}
	if len(f.rest) == 0 {
		return 0, f.err
	}
	n := copy(p, f.rest)
	f.rest = f.rest[n:]
	return n, nil
}

// Close implements io.Closer.
func (f *input) Close() error {
	if f.abandoned {
		return nil
	}
	_, err := await(context.WithoutCancel(f.ctx), f.opener, f.path, f.limit, func() (struct{}, error) { return struct{}{}, f.file.Close() }, nil)
	return err
}

// errAbandoned is matched by the error of a call that has not returned.
var errAbandoned = errors.New("abandoned")

// abandonment is the error of a call that has not returned; it reads as the
// reason.
type abandonment struct{ error }

func (abandonment) Is(target error) bool { return target == errAbandoned }
func (a abandonment) Unwrap() error      { return a.error }

// await returns what call returns, unless ctx ends first or it takes longer than
// limit. The error then is an abandonment, and late, if not nil, gets the result
// when call returns after all.
func await[T any](ctx context.Context, o *Opener, path string, limit time.Duration, call func() (T, error), late func(T)) (result T, err error) {
	if err := ctx.Err(); err != nil {
		return result, fmt.Errorf("%s: %w", path, err)
	}
	if o.isStuck(path) {
		return result, fmt.Errorf("%s: %w: an earlier attempt to read it has not ended", path, ErrTimeout)
	}
	type outcome struct {
		value T
		err   error
	}
	done := make(chan outcome)
	abandoned := make(chan struct{})
	go func() {
		value, err := call()
		select {
		case done <- outcome{value, err}:
		case <-abandoned:
			if late != nil {
				late(value)
			}
			o.setStuck(path, false)
		}
	}()
	var expired <-chan time.Time
	if limit > 0 {
		timer := time.NewTimer(limit)
		defer timer.Stop()
		expired = timer.C
	}
	select {
	case r := <-done:
		return r.value, r.err
	case <-expired:
		err = fmt.Errorf("%s: %w within %v", path, ErrTimeout, limit)
	case <-ctx.Done():
		err = fmt.Errorf("%s: %w", path, ctx.Err())
	}
	o.setStuck(path, true)
	close(abandoned)
	return result, abandonment{err}
}

func (o *Opener) isStuck(path string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.stuck[path]
}

func (o *Opener) setStuck(path string, stuck bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !stuck {
		delete(o.stuck, path)
		return
	}
	if o.stuck == nil {
		o.stuck = make(map[string]bool)
	}
	o.stuck[path] = true
}
