package store

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/mail"
	"runtime"
	"strings"
	"time"

	"github.com/alexedwards/argon2id"
	"github.com/jackc/pgx/v5"
	"golang.org/x/crypto/argon2"

	"fiducial/internal/access"
)

// ErrSignIn is the one answer for an unknown address, a wrong password and a person who left.
var ErrSignIn = errors.New("store: address or password is wrong")

// MinPasswordLength is NIST SP 800-63B's minimum for a password that a person chooses.
const MinPasswordLength = 12

// passwordParams are OWASP's second recommendation for argon2id: 19 MiB, two passes, one lane.
var passwordParams = &argon2id.Params{Memory: 19 * 1024, Iterations: 2, Parallelism: 1, SaltLength: 16, KeyLength: 32}

// hashing bounds how many passwords are hashed at once, so that a burst of sign-ins cannot take
// all memory and processors from the people who are at work.
var hashing = make(chan struct{}, max(1, runtime.NumCPU()/2))

// decoyHash is compared when there is no such person, so that the answer takes as long. It is no
// password's hash, and making it here costs a start nothing.
var decoyHash = fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version,
	passwordParams.Memory, passwordParams.Iterations, passwordParams.Parallelism,
	base64.RawStdEncoding.EncodeToString(make([]byte, passwordParams.SaltLength)),
	base64.RawStdEncoding.EncodeToString(make([]byte, passwordParams.KeyLength)))

// Person is somebody who signs in. Once they have left, Name is their pseudonym and Email is empty.
type Person struct {
	ID                int64
	Role              access.Role
	Name              string
	Email             string
	SessionGeneration int
	Preferences       json.RawMessage
	CreatedAt         time.Time
	LeftAt            *time.Time
}

const personColumns = `p.id, p.role, coalesce(i.name, p.pseudonym) AS name, coalesce(i.email, '') AS email,
	p.session_generation, p.preferences, p.created_at, p.left_at`

// NewPerson is what making an account needs. An empty password leaves it to an invitation link.
type NewPerson struct {
	Email, Name, Password string
	Role                  access.Role
}

// What is taken at most: RFC 5321's longest address, and more than anybody needs of the others.
const (
	maxEmail    = 254
	maxName     = 200
	maxPassword = 1000
)

func (n *NewPerson) complete() error {
	n.Email, n.Name = strings.TrimSpace(n.Email), strings.TrimSpace(n.Name)
	if n.Name == "" {
		n.Name, _, _ = strings.Cut(n.Email, "@")
	}
	if addr, err := mail.ParseAddress(n.Email); err != nil || addr.Address != n.Email || len(n.Email) > maxEmail {
		return invalid("email", "This is not an e-mail address. It looks like name@example.org.")
	}
	if len(n.Name) > maxName {
		return invalid("name", "This name is too long.")
	}
	if _, err := access.ParseRole(string(n.Role)); err != nil {
		return invalid("role", "Choose a role.")
	}
	return nil
}

// AddPerson makes an account. It refuses an address that is taken, a malformed one, and a short password.
func (s *Store) AddPerson(ctx context.Context, actor Actor, n NewPerson) (id int64, err error) {
	if err := actor.may(access.ManagePeople); err != nil {
		return 0, err
	}
	if err := n.complete(); err != nil {
		return 0, err
	}
	var hash *string // an account without a password: nobody signs in with it yet
	if n.Password != "" {
		if hash, err = hashPassword(ctx, n.Password); err != nil {
			return 0, err
		}
	}
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		id, err = addPerson(ctx, tx, actor, n, hash)
		return err
	})
	return id, err
}

// addPerson is a step of AddPerson and AcceptInvitation; n is complete. Without an actor, the person
// made the account for themselves.
func addPerson(ctx context.Context, tx pgx.Tx, actor Actor, n NewPerson, hash *string) (id int64, err error) {
	err = tx.QueryRow(ctx, `INSERT INTO people (role, pseudonym) VALUES ($1, $2) RETURNING id`,
		n.Role, "person-"+strings.ToLower(rand.Text()[:8])).Scan(&id)
	if err != nil {
		return 0, fmt.Errorf("add person: %w", err)
	}
	_, err = tx.Exec(ctx, `INSERT INTO person_identities (person_id, email, name, password_hash) VALUES ($1, $2, $3, $4)`,
		id, n.Email, n.Name, hash)
	if violates(err, "person_identities_email_key") {
		return 0, invalid("email", "There is an account with this address already. Sign in with it, or use another address.")
	}
	if err != nil {
		return 0, fmt.Errorf("add person: %w", err)
	}
	if actor.Role == "" {
		actor.PersonID = id
	}
	return id, audit(ctx, tx, actor, auditEvent{
		Action: "person.add", ObjectType: "person", ObjectID: id, Detail: map[string]any{"role": n.Role},
	})
}

// hashPassword returns the hash of a password that somebody chose, or an InvalidError. Call it outside
// a transaction: it waits its turn and takes tens of milliseconds.
func hashPassword(ctx context.Context, password string) (*string, error) {
	switch n := len([]rune(password)); {
	case n < MinPasswordLength:
		return nil, invalid("password", fmt.Sprintf("Choose a password of at least %d characters.", MinPasswordLength))
	case n > maxPassword:
		return nil, invalid("password", fmt.Sprintf("Choose a password of at most %d characters.", maxPassword))
	}
	var hash string
	err := inHashingTurn(ctx, func() (err error) {
		hash, err = argon2id.CreateHash(password, passwordParams)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("hash password: %w", err)
	}
	return &hash, nil
}

func matchesPassword(ctx context.Context, password, hash string) (match bool, err error) {
	err = inHashingTurn(ctx, func() (err error) {
		match, err = argon2id.ComparePasswordAndHash(password, hash)
		return err
	})
	if err != nil {
		return false, fmt.Errorf("compare password: %w", err)
	}
	return match, nil
}

// inHashingTurn runs fn once there is room, unless ctx ends before.
func inHashingTurn(ctx context.Context, fn func() error) error {
	select {
	case hashing <- struct{}{}:
		defer func() { <-hashing }()
		return fn()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// SignIn returns the person with this address and password, or ErrSignIn, after the same time
// whichever of them is wrong.
func (s *Store) SignIn(ctx context.Context, email, password string) (Person, error) {
	var id int64
	hash := decoyHash
	err := s.pool.QueryRow(ctx, `
		SELECT i.person_id, i.password_hash
		FROM person_identities i JOIN people p ON p.id = i.person_id
		WHERE lower(i.email) = lower($1) AND i.password_hash IS NOT NULL AND p.left_at IS NULL`,
		strings.TrimSpace(email)).Scan(&id, &hash)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return Person{}, fmt.Errorf("sign in: %w", err)
	}
	match, err := matchesPassword(ctx, password, hash)
	if err != nil {
		return Person{}, fmt.Errorf("sign in: %w", err)
	}
	if !match || id == 0 {
		return Person{}, ErrSignIn
	}
	person, err := s.person(ctx, id)
	if err != nil {
		return Person{}, err
	}
	actor := Actor{PersonID: id, Role: person.Role}
	return person, s.inTx(ctx, func(tx pgx.Tx) error {
		return audit(ctx, tx, actor, auditEvent{Action: "person.sign_in", ObjectType: "person", ObjectID: id})
	})
}

// SessionPerson returns the person of a session that was begun under generation, or ErrNotFound once
// that person signed out everywhere, changed role or password, or left.
func (s *Store) SessionPerson(ctx context.Context, id int64, generation int) (Person, error) {
	person, err := s.person(ctx, id)
	if err == nil && (person.SessionGeneration != generation || person.LeftAt != nil) {
		return Person{}, fmt.Errorf("session of person %d: %w", id, ErrNotFound)
	}
	return person, err
}

func (s *Store) person(ctx context.Context, id int64) (Person, error) {
	rows, err := s.pool.Query(ctx, `
		SELECT `+personColumns+`
		FROM people p LEFT JOIN person_identities i ON i.person_id = p.id
		WHERE p.id = $1`, id)
	if err != nil {
		return Person{}, fmt.Errorf("person %d: %w", id, err)
	}
	person, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[Person])
	if err != nil {
		return Person{}, fmt.Errorf("person %d: %w", id, notFound(err))
	}
	return person, nil
}

// ownAccount refuses an actor that is no person.
func ownAccount(actor Actor) error {
	if actor.PersonID == 0 {
		return fmt.Errorf("no person: %w", ErrDenied)
	}
	return actor.may(access.Account)
}

// Rename changes the actor's own name.
func (s *Store) Rename(ctx context.Context, actor Actor, name string) error {
	if err := ownAccount(actor); err != nil {
		return err
	}
	name = strings.TrimSpace(name)
	if name == "" || len(name) > maxName {
		return invalid("name", "Give a name of at most 200 letters.")
	}
	return s.inTx(ctx, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `UPDATE person_identities SET name = $2 WHERE person_id = $1`, actor.PersonID, name)
		if err != nil {
			return fmt.Errorf("rename: %w", err)
		}
		if tag.RowsAffected() == 0 {
			return fmt.Errorf("rename: %w", ErrNotFound)
		}
		return audit(ctx, tx, actor, auditEvent{Action: "person.rename", ObjectType: "person", ObjectID: actor.PersonID})
	})
}

// ChangePassword replaces the actor's own password after asking for the present one. Every session of
// theirs ends; the generation that it returns is that of the sessions to come.
func (s *Store) ChangePassword(ctx context.Context, actor Actor, present, next string) (generation int, err error) {
	if err := ownAccount(actor); err != nil {
		return 0, err
	}
	hash := decoyHash
	err = s.pool.QueryRow(ctx, `SELECT password_hash FROM person_identities WHERE person_id = $1 AND password_hash IS NOT NULL`,
		actor.PersonID).Scan(&hash)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return 0, fmt.Errorf("change password: %w", err)
	}
	match, err := matchesPassword(ctx, present, hash)
	if err != nil {
		return 0, err
	}
	if !match {
		return 0, invalid("present", "This is not your present password.")
	}
	fresh, err := hashPassword(ctx, next)
	if err != nil {
		return 0, err
	}
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		generation, err = setPassword(ctx, tx, actor, actor.PersonID, fresh)
		return err
	})
	return generation, err
}

// setPassword gives a person a new password and ends their sessions.
func setPassword(ctx context.Context, tx pgx.Tx, actor Actor, id int64, hash *string) (generation int, err error) {
	if _, err := tx.Exec(ctx, `UPDATE person_identities SET password_hash = $2 WHERE person_id = $1`, id, hash); err != nil {
		return 0, fmt.Errorf("set password: %w", err)
	}
	if generation, err = endSessions(ctx, tx, id); err != nil {
		return 0, err
	}
	return generation, audit(ctx, tx, actor, auditEvent{Action: "person.password", ObjectType: "person", ObjectID: id})
}

// SignOutEverywhere ends every session of the actor, this one too.
func (s *Store) SignOutEverywhere(ctx context.Context, actor Actor) error {
	if err := ownAccount(actor); err != nil {
		return err
	}
	return s.inTx(ctx, func(tx pgx.Tx) error {
		if _, err := endSessions(ctx, tx, actor.PersonID); err != nil {
			return err
		}
		return audit(ctx, tx, actor, auditEvent{Action: "person.sign_out_everywhere", ObjectType: "person", ObjectID: actor.PersonID})
	})
}

// endSessions makes every session of a person worth nothing. A person who left has none.
func endSessions(ctx context.Context, tx pgx.Tx, id int64) (generation int, err error) {
	err = tx.QueryRow(ctx, `
		UPDATE people SET session_generation = session_generation + 1
		WHERE id = $1 AND left_at IS NULL RETURNING session_generation`, id).Scan(&generation)
	if err != nil {
		return 0, fmt.Errorf("end sessions of person %d: %w", id, notFound(err))
	}
	return generation, nil
}

// SetKeys keeps the actor's own chords of the workbench, by id of the action; keymap.Choose has
// checked them.
func (s *Store) SetKeys(ctx context.Context, actor Actor, keys map[string]string) error {
	if err := ownAccount(actor); err != nil {
		return err
	}
	return s.inTx(ctx, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `UPDATE people SET preferences = preferences || jsonb_build_object('keys', $2::jsonb) WHERE id = $1`,
			actor.PersonID, keys)
		if err != nil {
			return fmt.Errorf("set keys: %w", err)
		}
		return audit(ctx, tx, actor, auditEvent{Action: "person.keys", ObjectType: "person", ObjectID: actor.PersonID})
	})
}

// Keys are the person's own chords of the workbench, by id of the action.
func (p Person) Keys() map[string]string {
	var preferences struct {
		Keys map[string]string `json:"keys"`
	}
	if err := json.Unmarshal(p.Preferences, &preferences); err != nil {
		return nil // the table's own are as good as any
	}
	return preferences.Keys
}
