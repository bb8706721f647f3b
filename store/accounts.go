package store

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/mail"
	"runtime"
	"strings"
	"time"

	"github.com/alexedwards/argon2id"
	"github.com/jackc/pgx/v5"

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

// decoyHash is compared when there is no such person, so that the answer takes as long.
var decoyHash = func() string {
	hash, err := argon2id.CreateHash(rand.Text(), passwordParams)
	if err != nil {
		panic(err) // the system has no randomness: nothing could be secure
	}
	return hash
}()

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

// AddPerson makes an account. It refuses an address that is taken, a malformed one, and a short password.
func (s *Store) AddPerson(ctx context.Context, actor Actor, n NewPerson) (id int64, err error) {
	if err := actor.may(access.ManagePeople); err != nil {
		return 0, err
	}
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		id, err = addPerson(ctx, tx, actor, n)
		return err
	})
	return id, err
}

func addPerson(ctx context.Context, tx pgx.Tx, actor Actor, n NewPerson) (id int64, err error) {
	n.Email, n.Name = strings.TrimSpace(n.Email), strings.TrimSpace(n.Name)
	if _, err := mail.ParseAddress(n.Email); err != nil {
		return 0, invalid("email", "This is not an e-mail address.")
	}
	if n.Name == "" {
		n.Name, _, _ = strings.Cut(n.Email, "@")
	}
	hash, err := hashPassword(n.Password)
	if err != nil {
		return 0, err
	}
	err = tx.QueryRow(ctx, `INSERT INTO people (role, pseudonym) VALUES ($1, $2) RETURNING id`,
		n.Role, "person-"+strings.ToLower(rand.Text()[:8])).Scan(&id)
	if err != nil {
		return 0, fmt.Errorf("add person: %w", err)
	}
	_, err = tx.Exec(ctx, `INSERT INTO person_identities (person_id, email, name, password_hash) VALUES ($1, $2, $3, $4)`,
		id, n.Email, n.Name, hash)
	if violates(err, "person_identities_email_key") {
		return 0, invalid("email", "There is an account with this address already.")
	}
	if err != nil {
		return 0, fmt.Errorf("add person: %w", err)
	}
	return id, audit(ctx, tx, actor, auditEvent{
		Action: "person.add", ObjectType: "person", ObjectID: id, Detail: map[string]any{"role": n.Role},
	})
}

// hashPassword returns nil for an empty password: nobody can sign in with that account yet.
func hashPassword(password string) (*string, error) {
	if password == "" {
		return nil, nil
	}
	if len([]rune(password)) < MinPasswordLength {
		return nil, invalid("password", fmt.Sprintf("Choose a password of at least %d characters.", MinPasswordLength))
	}
	hashing <- struct{}{}
	defer func() { <-hashing }()
	hash, err := argon2id.CreateHash(password, passwordParams)
	if err != nil {
		return nil, fmt.Errorf("hash password: %w", err)
	}
	return &hash, nil
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
	hashing <- struct{}{}
	match, err := argon2id.ComparePasswordAndHash(password, hash)
	<-hashing
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
