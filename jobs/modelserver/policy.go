package modelserver

import (
	"net/netip"

	"fiducial/internal/webhook"
)

// Policy says where models may be called. The zero value lets them be called nowhere: what they are sent is other people's data, so whoever
// runs the product names the hosts.
type Policy struct {
	Hosts    []string       // "asr.example.org", or "*.example.org"
	Networks []netip.Prefix // of our own, beyond the public ones, that these hosts may lie in
}

// AllowsHost reports whether a host may be called by its name.
func (p Policy) AllowsHost(host string) bool {
	return len(p.Hosts) > 0 && webhook.Policy{Hosts: p.Hosts}.AllowsHost(host)
}

// AllowsAddr reports whether an address may be called: a public one, or one of the policy's networks.
func (p Policy) AllowsAddr(addr netip.Addr) bool {
	return webhook.Policy{Networks: p.Networks}.AllowsAddr(addr)
}

// ForStarted is the policy for the server that a command has started on this machine: that very host, and no other.
func ForStarted() Policy {
	return Policy{Hosts: []string{"127.0.0.1"}, Networks: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}}
}
