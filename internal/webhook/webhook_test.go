package webhook_test

import (
	"net/netip"
	"testing"
	"time"

	"fiducial/internal/webhook"
)

func TestASignatureFitsItsBodyAndItsTime(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_770_000_000, 0)
	body := []byte(`{"event":"lines.erased"}`)
	// printf '1770000000.{"event":"lines.erased"}' | openssl dgst -sha256 -hmac secret
	const want = "v1=5f893a0a1b75de7c628cdaa9808df62b13028531918e53f9ab885246ad369bf4"
	signature := webhook.Sign("secret", "1770000000", body)
	if signature != want {
		t.Errorf("got %s", signature)
	}
	verify := func(secret, at, signature string, body []byte, now time.Time) bool {
		return webhook.Verify(secret, at, signature, body, now, 5*time.Minute)
	}
	if !verify("secret", "1770000000", signature, body, now.Add(time.Minute)) {
		t.Error("refused what was signed")
	}
	if verify("other", "1770000000", signature, body, now) || verify("secret", "1770000001", signature, body, now) ||
		verify("secret", "1770000000", signature, []byte("{}"), now) || verify("secret", "soon", signature, body, now) ||
		verify("secret", "1770000000", signature, body, now.Add(time.Hour)) || verify("secret", "1770000000", "", body, now) {
		t.Error("took what was not signed, or long ago")
	}
}

func TestWhereCallsMayGo(t *testing.T) {
	t.Parallel()
	own := webhook.Policy{Networks: []netip.Prefix{netip.MustParsePrefix("10.2.0.0/16"), netip.MustParsePrefix("127.0.0.1/32")}}
	for addr, want := range map[string][2]bool{ // without and with networks of our own
		"93.184.215.14":          {true, true},
		"2606:2800:21f:cb07::1":  {true, true},
		"10.2.3.4":               {false, true},
		"::ffff:10.2.3.4":        {false, true},
		"10.3.3.4":               {false, false},
		"127.0.0.1":              {false, true},
		"127.0.0.2":              {false, false},
		"::1":                    {false, false},
		"0.0.0.0":                {false, false},
		"::":                     {false, false},
		"169.254.169.254":        {false, false},
		"::ffff:169.254.169.254": {false, false},
		"64:ff9b::a9fe:a9fe":     {false, false},
		"172.16.0.1":             {false, false},
		"192.168.1.1":            {false, false},
		"100.64.0.1":             {false, false},
		"224.0.0.1":              {false, false},
		"255.255.255.255":        {false, false},
		"fe80::1%eth0":           {false, false},
		"fd00::1":                {false, false},
		"2002:7f00:1::":          {false, false},
		"ff02::1":                {false, false},
	} {
		parsed := netip.MustParseAddr(addr)
		if got := [2]bool{webhook.Policy{}.AllowsAddr(parsed), own.AllowsAddr(parsed)}; got != want {
			t.Errorf("%s: %v, want %v", addr, got, want)
		}
	}
	hosts := webhook.Policy{Hosts: []string{"train.example.org", "*.mill.example"}}
	for host, want := range map[string]bool{
		"train.example.org": true, "TRAIN.example.org.": true, "a.mill.example": true, "mill.example": false, "evilmill.example": false, "example.org": false, "": false,
	} {
		if hosts.AllowsHost(host) != want {
			t.Errorf("%s: want %v", host, want)
		}
	}
	if !(webhook.Policy{}).AllowsHost("anywhere.example") {
		t.Error("a policy without hosts refuses one")
	}
}
