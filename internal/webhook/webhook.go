// Package webhook defines what a consumer of dataset versions is sent when lines of one are erased: its body, its signature, and
// to which addresses it may go.
package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The headers of a call beside the usual ones.
const (
	HeaderEvent     = "Fiducial-Event"     // what it tells: Erased
	HeaderDelivery  = "Fiducial-Delivery"  // the notice's number: the same in every try, so that a receiver can tell a second one
	HeaderTimestamp = "Fiducial-Timestamp" // when it was signed, in seconds since 1970
	HeaderSignature = "Fiducial-Signature" // see Sign
)

// Erased is the event of lines that were erased.
const Erased = "lines.erased"

// ListedLines is how many lines a body lists at most; the API has the rest.
const ListedLines = 10_000

// Event is the body: which version, how many of its lines, and which. It holds nothing of the items: a receiver finds the lines in
// its own copy by position or by leaf, which every export lists.
type Event struct {
	Event   string    `json:"event"`
	Notice  int64     `json:"notice"`
	At      time.Time `json:"at"`
	Version Version   `json:"version"`
	Erasure Erasure   `json:"erasure"`
	Lines   int       `json:"lines"`
	Listed  []Line    `json:"listed"`
	More    string    `json:"more,omitempty"` // where the API has all of them, if there are more than are listed
	Confirm string    `json:"confirm"`        // where "we deleted our copy" is confirmed: a page, and a POST without a body
}

// Version is the version that the lines were of.
type Version struct {
	Dataset string `json:"dataset"`
	Number  int    `json:"number"`
	SHA256  string `json:"sha256"`
}

// Erasure is what took them; Kind is "request" or "expiry".
type Erasure struct {
	ID   int64  `json:"id"`
	Kind string `json:"kind"`
}

// Line is one of them.
type Line struct {
	Position int    `json:"position"`
	Leaf     string `json:"leaf"` // hexadecimal
}

// Sign returns the signature of a body: "v1=" and, in hexadecimal, HMAC-SHA-256 over the timestamp, a full stop and the body, keyed
// with the secret's text.
func Sign(secret, timestamp string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(timestamp))
	mac.Write([]byte{'.'})
	mac.Write(body)
	return "v1=" + hex.EncodeToString(mac.Sum(nil))
}

// Verify reports whether a call was signed with the secret, no longer ago than patience: what a receiver does.
func Verify(secret, timestamp, signature string, body []byte, now time.Time, patience time.Duration) bool {
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil || now.Sub(time.Unix(seconds, 0)).Abs() > patience {
		return false
	}
	return hmac.Equal([]byte(Sign(secret, timestamp, body)), []byte(signature))
}

// Policy says where calls may go. The zero value lets them go to every public address.
type Policy struct {
	// Hosts are the only ones that are called, unless there is none: "train.example.org", or "*.example.org".
	Hosts []string
	// Networks are those of our own, beyond the public ones, that may be called.
	Networks []netip.Prefix
}

// AllowsHost reports whether a host may be called by its name.
func (p Policy) AllowsHost(host string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	return len(p.Hosts) == 0 || slices.ContainsFunc(p.Hosts, func(allowed string) bool {
		allowed = strings.ToLower(allowed)
		if suffix, ok := strings.CutPrefix(allowed, "*"); ok && strings.HasPrefix(suffix, ".") {
			return strings.HasSuffix(host, suffix) && len(host) > len(suffix)
		}
		return host == allowed
	})
}

// reserved are the networks that are not the public internet and that netip does not tell.
var reserved = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),       // this network
	netip.MustParsePrefix("100.64.0.0/10"),   // carriers' own
	netip.MustParsePrefix("192.0.0.0/24"),    // protocol assignments
	netip.MustParsePrefix("192.0.2.0/24"),    // documentation
	netip.MustParsePrefix("192.88.99.0/24"),  // 6to4 relays
	netip.MustParsePrefix("198.18.0.0/15"),   // benchmarks
	netip.MustParsePrefix("198.51.100.0/24"), // documentation
	netip.MustParsePrefix("203.0.113.0/24"),  // documentation
	netip.MustParsePrefix("240.0.0.0/4"),     // reserved, broadcast
	netip.MustParsePrefix("::/96"),           // IPv4-compatible
	netip.MustParsePrefix("64:ff9b::/96"),    // translated IPv4
	netip.MustParsePrefix("64:ff9b:1::/48"),  // translated IPv4, local
	netip.MustParsePrefix("100::/64"),        // discarded
	netip.MustParsePrefix("2001::/23"),       // protocol assignments, Teredo among them
	netip.MustParsePrefix("2001:db8::/32"),   // documentation
	netip.MustParsePrefix("2002::/16"),       // 6to4
	netip.MustParsePrefix("fec0::/10"),       // site-local
}

// AllowsAddr reports whether an address may be called: a public one, or one of the policy's networks.
func (p Policy) AllowsAddr(addr netip.Addr) bool {
	addr = addr.Unmap().WithZone("")
	holds := func(network netip.Prefix) bool { return network.Contains(addr) }
	if slices.ContainsFunc(p.Networks, holds) {
		return true
	}
	return addr.IsGlobalUnicast() && !addr.IsPrivate() && !slices.ContainsFunc(reserved, holds)
}
