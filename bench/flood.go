//go:build linux

package main

import (
	"errors"
	"fmt"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"probe-agent/internal/netsim/kernel"
	"probe-agent/packet"
)

// floodBatch is how many packets one system call sends; as the engine's.
const floodBatch = 64

// mmsghdr is struct mmsghdr of sendmmsg(2).
type mmsghdr struct {
	header unix.Msghdr
	sent   uint32
	_      [4]byte
}

// flooded is what bare loops reached together.
type flooded struct {
	perSecond float64
	answered  float64 // share of the packets that an answer came for
}

// flood sends echo requests from the lab's host for a span of time, as fast as
// some threads can, each with a socket of its own, and without a look at what
// comes back. All hops of the path get the same number of them.
func flood(l *kernel.Lab, span time.Duration, threads int) (f flooded, err error) {
	before, err := count(l)
	if err != nil {
		return f, err
	}
	errs := make([]error, threads)
	rates := make([]float64, threads)
	var pouring sync.WaitGroup
	for i := range threads {
		pouring.Go(func() {
			errs[i] = l.Do(func() (err error) { rates[i], err = floodOne(l, span); return err })
		})
	}
	pouring.Wait()
	if err := errors.Join(errs...); err != nil {
		return f, err
	}
	after, err := count(l)
	if err != nil {
		return f, err
	}
	for _, rate := range rates {
		f.perSecond += rate
	}
	crossed := after.since(before)
	f.answered = float64(crossed.received) / float64(crossed.sent)
	return f, nil
}

// floodOne is one thread's part, in packets a second.
func floodOne(l *kernel.Lab, span time.Duration) (float64, error) {
	socket, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_RAW)
	if err != nil {
		return 0, fmt.Errorf("raw socket: %w", err)
	}
	var sent int
	var took time.Duration
	headers, err := floodPackets(l)
	if err == nil {
		sent, took, err = pour(socket, headers, span)
	}
	if err := errors.Join(err, unix.Close(socket)); err != nil {
		return 0, err
	}
	return float64(sent) / took.Seconds(), nil
}

// pour sends the packets over and over.
func pour(socket int, headers *[floodBatch]mmsghdr, span time.Duration) (sent int, took time.Duration, err error) {
	started := time.Now()
	for ; took < span; took = time.Since(started) {
		n, _, errno := unix.Syscall6(unix.SYS_SENDMMSG, uintptr(socket), uintptr(unsafe.Pointer(&headers[0])), floodBatch, 0, 0, 0)
		switch {
		case errno == 0:
			sent += int(n)
		case !errors.Is(errno, unix.ENOBUFS) && !errors.Is(errno, unix.EINTR):
			return sent, took, fmt.Errorf("sendmmsg: %w", errno)
		}
	}
	return sent, took, nil
}

// floodPackets builds the packets that the loop sends over and over.
func floodPackets(l *kernel.Lab) (*[floodBatch]mmsghdr, error) {
	headers := new([floodBatch]mmsghdr)
	targets := l.Targets(false)
	for i := range headers {
		target := targets[i%len(targets)]
		template, err := packet.NewTemplate(packet.Flow{
			Type: packet.ICMP, Source: l.Host.IPv4, Target: target, EchoID: uint16(i + 1), Checksum: 1,
		})
		if err != nil {
			return nil, err
		}
		bytes := make([]byte, packet.MaxProbeLen)
		ttl := i%(throughputRouters+1) + 1
		n := template.Build(bytes, packet.ProbeID{TTL: uint8(ttl), IPID: uint16(i + 1), Sequence: uint32(ttl), Tag: 1})
		name := &unix.RawSockaddrInet4{Family: unix.AF_INET, Addr: target.As4()}
		iovec := &unix.Iovec{Base: &bytes[0]}
		iovec.SetLen(n)
		h := &headers[i].header
		h.Name, h.Namelen = (*byte)(unsafe.Pointer(name)), unix.SizeofSockaddrInet4
		h.Iov = iovec
		h.SetIovlen(1)
	}
	return headers, nil
}
