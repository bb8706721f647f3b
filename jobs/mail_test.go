package jobs

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"fiducial/store"
)

// mailServer takes mail as a mail server does, and keeps it. It answers no, or breaks off, where it is told to.
type mailServer struct {
	address string
	letters chan string
	refuses atomic.Bool // the recipient
	breaks  atomic.Bool // once it has the letter, before it says so

	upgrade *tls.Config // that it offers STARTTLS with, nil for none
	user    string      // whom it lets in, "" for anybody
}

func newMailServer(t *testing.T) *mailServer {
	t.Helper()
	m, listener := &mailServer{}, newListener(t)
	m.listen(t, listener)
	return m
}

func newListener(t *testing.T) net.Listener {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return listener
}

func (m *mailServer) listen(t *testing.T, listener net.Listener) {
	t.Helper()
	m.address, m.letters = listener.Addr().String(), make(chan string, 10)
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			m.serve(conn)
		}
	}()
}

// offers is what the server says it can, on this connection.
func (m *mailServer) offers(conn net.Conn) []string {
	_, sealed := conn.(*tls.Conn)
	switch {
	case m.upgrade != nil && !sealed:
		return []string{"250-mail.example.org", "250 STARTTLS"}
	case m.user != "":
		return []string{"250-mail.example.org", "250 AUTH PLAIN"}
	}
	return []string{"250 mail.example.org"}
}

func (m *mailServer) serve(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	say := func(line string) { _, _ = fmt.Fprint(conn, line+"\r\n") }
	say("220 ready")
	lines := bufio.NewScanner(conn)
	for lines.Scan() {
		switch verb := strings.ToUpper(strings.SplitN(lines.Text(), " ", 2)[0]); verb {
		case "EHLO":
			for _, line := range m.offers(conn) {
				say(line)
			}
		case "STARTTLS":
			say("220 go on")
			conn = tls.Server(conn, m.upgrade)
			lines = bufio.NewScanner(conn)
		case "AUTH":
			said, err := base64.StdEncoding.DecodeString(lines.Text()[strings.LastIndex(lines.Text(), " ")+1:])
			if err != nil || string(said) != "\x00"+m.user+"\x00secret" {
				say("535 nobody of that name")
				continue
			}
			say("235 come in")
		case "RCPT":
			if m.refuses.Load() {
				say("550 nobody of that name")
				continue
			}
			say("250 fine")
		case "DATA":
			say("354 go on")
			var letter strings.Builder
			for lines.Scan() && lines.Text() != "." {
				letter.WriteString(lines.Text() + "\n")
			}
			m.letters <- letter.String()
			if m.breaks.Load() {
				return
			}
			say("250 taken")
		case "QUIT":
			say("221 bye")
			return
		default:
			say("250 fine")
		}
	}
}

// newAuthority makes an authority of its own, a file with its certificate, and the settings of a server at 127.0.0.1 that it vouches for.
func newAuthority(t *testing.T) (file string, server *tls.Config) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(t.TempDir(), "authority.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return file, &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, MinVersion: tls.VersionTLS12}
}

// A letter goes over TLS to a server that an authority vouches for that was named, and to no other.
func TestMailIsEncrypted(t *testing.T) {
	t.Parallel()
	authority, trusted := newAuthority(t)
	stranger, _ := newAuthority(t)
	upgrading := &mailServer{upgrade: trusted, user: "fiducial"}
	upgrading.listen(t, newListener(t))
	wrapped := &mailServer{user: "fiducial"}
	wrapped.listen(t, tls.NewListener(newListener(t), trusted))
	plain := newMailServer(t)
	for name, try := range map[string]struct {
		url, ca, fault string
		server         *mailServer
	}{
		"STARTTLS":                           {"smtp://fiducial:secret@" + upgrading.address, authority, "", upgrading},
		"TLS from the start":                 {"smtps://fiducial:secret@" + wrapped.address, authority, "", wrapped},
		"STARTTLS of a stranger":             {"smtp://fiducial:secret@" + upgrading.address, stranger, store.FaultCertificate, upgrading},
		"TLS of a stranger":                  {"smtps://fiducial:secret@" + wrapped.address, stranger, store.FaultCertificate, wrapped},
		"STARTTLS that the system mistrusts": {"smtp://fiducial:secret@" + upgrading.address, "", store.FaultCertificate, upgrading},
		"TLS that the system mistrusts":      {"smtps://fiducial:secret@" + wrapped.address, "", store.FaultCertificate, wrapped},
		"no STARTTLS":                        {"smtp://" + plain.address, authority, store.FaultPlain, plain},
		"a wrong password":                   {"smtps://fiducial:guess@" + wrapped.address, authority, store.FaultSignIn, wrapped},
	} {
		cfg := MailConfig{URL: try.url, From: "fiducial@example.org", CA: try.ca}
		if err := CheckMail(cfg); err != nil {
			t.Fatal(name, err)
		}
		sending, err := newAlarm(t, store.ToMailbox, "team@example.org").send(t, Config{Mail: cfg}, 1)
		if try.fault != "" {
			if err == nil || sending.State != "waiting" || sending.Fault != try.fault || len(try.server.letters) != 0 {
				t.Errorf("%s: %+v, %v, %d letters", name, sending, err, len(try.server.letters))
			}
			continue
		}
		if err != nil || sending.State != "sent" || len(try.server.letters) != 1 {
			t.Errorf("%s: %+v, %v, %d letters", name, sending, err, len(try.server.letters))
			continue
		}
		<-try.server.letters
	}
}

func TestAnAlertIsMailed(t *testing.T) {
	t.Parallel()
	m := newMailServer(t)
	cfg := Config{Mail: MailConfig{URL: "smtp://" + m.address + "?tls=off", From: "Fiducial <fiducial@example.org>"}}
	a := newAlarm(t, store.ToMailbox, "team@example.org")
	if sending, err := a.send(t, cfg, 1); err != nil || sending.State != "sent" {
		t.Fatalf("%+v, %v", sending, err)
	}
	letter := <-m.letters
	for _, want := range []string{
		"To: <team@example.org>", "Subject: calls & more: no run has ended for 7 days", "The last one ended on 1 Mar 2026.", "fiducial@example.org",
		fmt.Sprintf("https://label.example.org/alerts/%d", a.alert), fmt.Sprintf("Message-ID: <alert-%d-1@127.0.0.1>", a.alert),
	} {
		if !strings.Contains(strings.ReplaceAll(letter, "=\n", ""), want) {
			t.Errorf("lacks %q:\n%s", want, letter)
		}
	}
	m.refuses.Store(true)
	b := newAlarm(t, store.ToMailbox, "nobody@example.org")
	if sending, err := b.send(t, cfg, 1); err == nil || sending.State != "dead" || sending.Fault != store.FaultRecipient {
		t.Errorf("refused: %+v, %v", sending, err)
	}
	m.refuses.Store(false)
	m.breaks.Store(true)
	c := newAlarm(t, store.ToMailbox, "team@example.org")
	if sending, err := c.send(t, cfg, 1); err == nil || sending.State != "dead" || len(m.letters) != 1 {
		t.Errorf("broken off: %+v, %v, %d letters", sending, err, len(m.letters))
	}
	d := newAlarm(t, store.ToMailbox, "team@example.org")
	if sending, err := d.send(t, Config{}, 1); err == nil || sending.State != "dead" || sending.Fault != store.FaultMail {
		t.Errorf("without a mail server: %+v, %v", sending, err)
	}
	e := newAlarm(t, store.ToMailbox, "team@example.org")
	away := Config{Mail: MailConfig{URL: "smtp://127.0.0.1:1?tls=off", From: "fiducial@example.org"}}
	if sending, err := e.send(t, away, 1); err == nil || sending.State != "waiting" || sending.Fault != store.FaultConnection {
		t.Errorf("nobody answers: %+v, %v", sending, err)
	}
}

func TestAMailServerIsCheckedBeforeTheStart(t *testing.T) {
	t.Parallel()
	for address, good := range map[string]bool{
		"": true, "smtps://u:p@mail.example.org": true, "smtp://mail.example.org:587": true, "mail.example.org": false, "https://mail.example.org": false,
	} {
		if err := CheckMail(MailConfig{URL: address, From: "fiducial@example.org"}); (err == nil) != good {
			t.Errorf("%q: %v", address, err)
		}
	}
	if CheckMail(MailConfig{URL: "smtps://mail.example.org"}) == nil {
		t.Error("mail from nobody")
	}
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, ca := range []string{empty, empty + ".none"} {
		if CheckMail(MailConfig{URL: "smtps://mail.example.org", From: "fiducial@example.org", CA: ca}) == nil {
			t.Errorf("an authority of %s", ca)
		}
	}
}
