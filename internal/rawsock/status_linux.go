package rawsock

// Status tells what the kernel granted and what was lost so far. Safe for
// concurrent use; after Close the counts stay as they were.
func (t *Transport) Status() Status {
	status := Status{
		IPv4: t.lacks[0], IPv6: t.lacks[1], ReceiveStamps: t.receiveStamps,
		RouteTable: t.router.refusal, ByProtocol: true, LoopbackDown: t.loopbackDown,
		Ports: t.ports.count,
	}
	mode := stampAuto
	t.senders(func(s *sender) {
		mode = max(mode, s.mode)
		status.SendBuffer = least(status.SendBuffer, s.buffer)
		status.LostStamps += s.stamps.lost.Load()
		status.ForeignErrors += s.stamps.foreign.Load()
		status.ByProtocol = status.ByProtocol && s.protocol
		status.TakesForeignErrors = status.TakesForeignErrors || s.foreign
	})
	status.StampMode = mode.String()
	for _, q := range t.queues {
		status.ReceiveBuffer = least(status.ReceiveBuffer, q.buffer)
		status.Drops += q.drops()
		status.Truncated += q.truncated.Load()
	}
	return status
}

// least returns the smaller of two sizes, of which 0 is none yet.
func least(a, b int) int {
	if a == 0 {
		return b
	}
	return min(a, b)
}
