package prober

import (
	"testing"

	"probe-agent/packet"
	"probe-agent/traceroute"
)

// TestRefreshDropsWhatIsPastTheEnd: probes that wait to be sent are not, once
// the target has answered a lower TTL.
func TestRefreshDropsWhatIsPastTheEnd(t *testing.T) {
	trace := testTrace(t, traceroute.Spec{}, packet.UDP)
	var batch txBatch
	for ttl := 1; ttl <= 4; ttl++ {
		trace.register(0, ttl, 0, 0)
		batch.packets[batch.count] = packet.Outgoing{Bytes: batch.buffers[batch.count][:1], TxID: uint32(ttl)}
		batch.probes[batch.count] = outgoing{trace: trace, ttl: ttl}
		batch.count++
	}
	a := answer{receipt: receipt{user: moment{mono: 5}}, from: trace.lease.Target, arrival: true, ends: true}
	if f := trace.onReply(0, 2, &a); f != matched {
		t.Fatal(f)
	}
	batch.refresh(7, 0)
	if batch.count != 2 || batch.probes[1].ttl != 2 || batch.packets[1].TxID != 2 {
		t.Errorf("%d probes are left, want those to TTL 1 and 2", batch.count)
	}
	for ttl := 1; ttl <= 4; ttl++ {
		if sent := trace.slot(0, ttl).state == sent; sent != (ttl <= 2) {
			t.Errorf("TTL %d: sent is %v", ttl, sent)
		}
	}
}

// TestRefreshForgetsTheStamp: a probe that is sent again loses the stamp that the
// host gave it before it refused it.
func TestRefreshForgetsTheStamp(t *testing.T) {
	trace := testTrace(t, traceroute.Spec{}, packet.UDP)
	trace.register(0, 1, 0, 0)
	trace.departs(0, 1, sending{kernel: 1})
	batch := txBatch{count: 1}
	batch.probes[0] = outgoing{trace: trace, ttl: 1}
	batch.refresh(7, 1)
	if got := trace.slot(0, 1).sending(); got != (sending{user: 7, epoch: 1}) {
		t.Errorf("sent at %+v", got)
	}
}
