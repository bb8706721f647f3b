package jobs

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/mail"
	"net/url"
	"strconv"

	gomail "github.com/wneessen/go-mail"

	"fiducial/store"
)

// MailConfig says by which server mail is sent, and from whom. The zero value sends none.
type MailConfig struct {
	// URL is smtps://USER:PASSWORD@HOST:465 for TLS from the start, smtp://…:587 for STARTTLS, which is insisted on, or smtp://…?tls=off for a
	// relay on this machine or in its network.
	URL  string
	From string // such as "Fiducial <fiducial@example.org>"
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

// send mails a letter. Sent twice, it bears the same id, so that mailboxes that look at it show it once.
func (m *mailer) send(ctx context.Context, letter store.Letter, link string) outcome {
	if m == nil {
		return outcome{fault: store.FaultMail, arrived: surelyNot, last: true}
	}
	message := gomail.NewMsg()
	if err := errors.Join(message.From(m.from), message.To(letter.Target)); err != nil {
		return outcome{fault: store.FaultRecipient, arrived: surelyNot, last: true}
	}
	message.Subject(letter.Summary.Title())
	message.SetMessageIDWithValue(fmt.Sprintf("alert-%d-%d@%s", letter.Alert, letter.Nth, m.host))
	message.SetDate()
	message.SetBulk()
	message.SetBodyString(gomail.TypeTextPlain, letter.Summary.Text(link))
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
	switch {
	case err == nil || delivered: // what fails afterwards is the farewell
		return outcome{}
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
