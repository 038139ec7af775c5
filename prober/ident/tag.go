package ident

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"

	"probe-agent/packet"
)

// authenticator computes the values that authenticate a probe. They are
// outputs of AES-128 under a key that never leaves the process: a pseudo-random
// function, so that any number of them does not help to compute another. Not
// safe for concurrent use.
type authenticator struct {
	block   cipher.Block
	in, out [aes.BlockSize]byte // fields, because arguments of an interface method escape
}

// Domains separate the inputs of one kind of value from those of another.
const (
	tagDomain byte = iota
	endpointDomain
)

func newAuthenticator() *authenticator {
	var key [16]byte
	rand.Read(key[:]) // never fails, see its documentation
	block, err := aes.NewCipher(key[:])
	if err != nil {
		panic(err) // 16 bytes are an AES-128 key
	}
	return &authenticator{block: block}
}

// tag is the value of one probe. TTL 0 gives that of the flow as a whole. It is
// never 0, which is what a quote padded with zeros holds.
func (a *authenticator) tag(nonce uint64, sp packet.Space, id FlowID, ttl uint8) uint64 {
	a.in = [aes.BlockSize]byte{0: tagDomain, 1: byte(sp), 2: ttl}
	binary.LittleEndian.PutUint16(a.in[4:], uint16(id))
	binary.LittleEndian.PutUint64(a.in[8:], nonce)
	a.block.Encrypt(a.out[:], a.in[:])
	return max(1, binary.LittleEndian.Uint64(a.out[:]))
}

// endpoint is a value for the ends of a flow, the same at any time. It is
// the CBC-MAC of two blocks.
func (a *authenticator) endpoint(e endpoint) uint64 {
	a.in = [aes.BlockSize]byte{0: endpointDomain, 1: byte(e.space)}
	binary.LittleEndian.PutUint16(a.in[2:], e.targetPort)
	binary.LittleEndian.PutUint16(a.in[4:], e.sourcePort)
	a.block.Encrypt(a.out[:], a.in[:])
	a.in = e.target.As16()
	for i := range a.in {
		a.in[i] ^= a.out[i]
	}
	a.block.Encrypt(a.out[:], a.in[:])
	return binary.LittleEndian.Uint64(a.out[:])
}
