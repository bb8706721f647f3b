package jobs

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/mail"
	"net/textproto"
	"net/url"
	"os"
	"strconv"
	"strings"

	gomail "github.com/wneessen/go-mail"

	"fiducial/store"
)

// MailConfig says by which server mail is sent, and from whom. The zero value sends none.
type MailConfig struct {
	// URL is smtps://USER:PASSWORD@HOST:465 for TLS from the start, smtp://…:587 for STARTTLS, which is insisted on, or smtp://…?tls=off for a
	// relay on this machine or in its network.
	URL  string
	From string // such as "Fiducial <fiducial@example.org>"
	CA   string // file with the certificate of the authority that signed that of the server; the system's own if empty
}

// mailer sends mail by one server. Nil sends none.
type mailer struct {
	host    string
	from    string
	options []gomail.Option
}

// CheckMail says what is wrong with a configuration, so that a server does not start with it.
func CheckMail(cfg MailConfig) error {
	_, err := mailerOf(cfg)
	return err
}

func newMailer(cfg MailConfig) *mailer {
	m, err := mailerOf(cfg)
	if err != nil {
		return nil
	}
	return m
}

// mailerOf returns nil for the zero value.
func mailerOf(cfg MailConfig) (*mailer, error) {
	if cfg.URL == "" {
		return nil, nil //nolint:nilnil // no mailer is a mailer that sends none
	}
	u, err := url.Parse(cfg.URL)
	if err != nil || u.Hostname() == "" || (u.Scheme != "smtp" && u.Scheme != "smtps") {
		return nil, errors.New("write the mail server like smtps://USER:PASSWORD@mail.example.org:465, or smtp://…:587")
	}
	if _, err := mail.ParseAddress(cfg.From); err != nil {
		return nil, errors.New("say from whom mail comes, such as fiducial@example.org (--mail-from)")
	}
	m := &mailer{host: u.Hostname(), from: cfg.From, options: []gomail.Option{gomail.WithTimeout(callPatience), gomail.WithoutNoop()}}
	trust, err := trustOf(cfg.CA, u.Hostname())
	if err != nil {
		return nil, err
	}
	m.options = append(m.options, gomail.WithTLSConfig(trust))
	off := u.Query().Get("tls") == "off"
	switch {
	case u.Scheme == "smtps" && !off:
		m.options = append(m.options, gomail.WithSSLPort(false))
	case off:
		m.options = append(m.options, gomail.WithTLSPolicy(gomail.NoTLS))
	default:
		m.options = append(m.options, gomail.WithTLSPortPolicy(gomail.TLSMandatory))
	}
	if u.Port() != "" {
		port, err := strconv.Atoi(u.Port())
		if err != nil {
			return nil, errors.New("the port of the mail server is a number, such as 587")
		}
		m.options = append(m.options, gomail.WithPort(port))
	}
	if name := u.User.Username(); name != "" {
		password, _ := u.User.Password()
		m.options = append(m.options, gomail.WithSMTPAuth(gomail.SMTPAuthAutoDiscover), gomail.WithUsername(name), gomail.WithPassword(password))
	}
	return m, nil
}

// trustOf is by whom a server's certificate may be signed.
func trustOf(file, host string) (*tls.Config, error) {
	trust := &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12}
	if file == "" {
		return trust, nil
	}
	pem, err := os.ReadFile(file) //nolint:gosec // whoever starts the server names it
	if err != nil {
		return nil, fmt.Errorf("the certificate of the mail server's authority cannot be read (--smtp-ca): %w", err)
	}
	if trust.RootCAs = x509.NewCertPool(); !trust.RootCAs.AppendCertsFromPEM(pem) {
		return nil, errors.New("the file of the mail server's authority holds no certificate in PEM (--smtp-ca)")
	}
	return trust, nil
}

// send mails a letter. Sent twice, it bears the same id, so that mailboxes that look at it show it once.
func (m *mailer) send(ctx context.Context, letter store.Letter, link string) outcome {
	if m == nil {
		return outcome{fault: store.FaultMail, arrived: surelyNot, last: true}
	}
	message := gomail.NewMsg()
	if err := errors.Join(message.From(m.from), message.To(letter.Target)); err != nil {
		return outcome{fault: store.FaultRecipient, arrived: surelyNot, last: true}
	}
	message.Subject(letter.Told.Title)
	name := fmt.Sprintf("alert-%d-%d", letter.Of.Alert, letter.Nth)
	if letter.Of.Evaluation != 0 {
		name = fmt.Sprintf("evaluation-%d-%d", letter.Of.Evaluation, letter.Nth)
	}
	message.SetMessageIDWithValue(name + "@" + m.host)
	message.SetDate()
	message.SetBulk()
	message.SetBodyString(gomail.TypeTextPlain, letter.Told.Text(link))
	client, err := gomail.NewClient(m.host, m.options...)
	if err != nil {
		return outcome{fault: store.FaultMail, arrived: surelyNot, last: true}
	}
	return mailed(client.DialAndSendWithContext(ctx, message), message.IsDelivered())
}

// mailed says how a sending went. A server that broke off while it took the letter may have it.
func mailed(err error, delivered bool) outcome {
	sendErr, isSend := errors.AsType[*gomail.SendError](err)
	netErr, isNet := errors.AsType[net.Error](err)
	_, untrusted := errors.AsType[*tls.CertificateVerificationError](err)
	answer, isAnswer := errors.AsType[*textproto.Error](err)
	switch {
	case err == nil || delivered: // what fails afterwards is the farewell
		return outcome{}
	case untrusted:
		return outcome{fault: store.FaultCertificate, arrived: surelyNot}
	case !isSend && strings.Contains(err.Error(), "does not support STARTTLS"): // go-mail has no error of its own for it
		return outcome{fault: store.FaultPlain, arrived: surelyNot}
	case !isSend && isAnswer && answer.Code/10 == 53: // RFC 4954, section 6
		return outcome{fault: store.FaultSignIn, arrived: surelyNot}
	case isSend && sendErr.ErrorCode() >= 500:
		return outcome{fault: store.FaultRecipient, arrived: surelyNot, last: true}
	case isSend && sendErr.ErrorCode() >= 400:
		return outcome{fault: store.FaultStatus, arrived: surelyNot}
	case isSend && (sendErr.Reason == gomail.ErrSMTPDataClose || sendErr.Reason == gomail.ErrWriteContent):
		return outcome{fault: store.FaultTimeout, arrived: perhaps, last: true}
	case isNet && netErr.Timeout():
		return outcome{fault: store.FaultTimeout, arrived: surelyNot}
	}
	return outcome{fault: store.FaultConnection, arrived: surelyNot}
}
