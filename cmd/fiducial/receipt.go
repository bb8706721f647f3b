package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"text/tabwriter"

	"fiducial/internal/receipt"
)

type receiptCommand struct {
	Show   receiptShowCommand   `cmd:"" default:"withargs" help:"Print the receipt of an erasure."`
	Verify receiptVerifyCommand `cmd:"" help:"Check the signature of a receipt's file, without a server."`
}

type receiptVerifyCommand struct {
	File string `arg:"" type:"existingfile" help:"Receipt as it was handed out; - is standard input."`
	Key  string `help:"Public key of the installation, or a file that holds it, as its admins gave it to you. Without it, the key in the receipt is used." placeholder:"KEY"`
	JSON bool   `name:"json" help:"Print JSON."`
}

// Help says what --help shows below the usage.
func (*receiptVerifyCommand) Help() string {
	return "Exit code 0: the signature holds. 3: it does not, or there is none. What is signed (Ed25519) is the receipt without " +
		"spaces, as 'jq -cj .receipt FILE' prints it, so that other tools can check it as well."
}

// receiptVerdict is the answer to whoever was handed a receipt.
type receiptVerdict struct {
	Holds     bool             `json:"holds"`
	Why       string           `json:"why,omitempty"`
	PublicKey string           `json:"public_key"`
	Trusted   bool             `json:"trusted"` // the key was given by whoever asks
	Receipt   *receipt.Receipt `json:"receipt"`
}

func (c *receiptVerifyCommand) Run(std *streams) error {
	raw, err := readInput(c.File, std)
	if err != nil {
		return err
	}
	trusted, err := c.trusted()
	if err != nil {
		return err
	}
	r, public, err := receipt.Verify(raw, trusted)
	v := receiptVerdict{Holds: err == nil, PublicKey: public.String(), Trusted: trusted != nil, Receipt: r}
	switch {
	case errors.Is(err, receipt.ErrForged) || errors.Is(err, receipt.ErrUnsigned):
		v.Why = err.Error()
	case err != nil:
		return misuseError(c.File + ": " + err.Error())
	}
	if err := v.print(std.out, c.JSON); err != nil {
		return err
	}
	if !v.Holds {
		return errAnswerNo
	}
	return nil
}

func (c *receiptVerifyCommand) trusted() (receipt.Public, error) {
	text := c.Key
	if text == "" {
		return nil, nil
	}
	if raw, err := os.ReadFile(text); err == nil { //nolint:gosec // a file that whoever asks has named
		text = string(raw)
	}
	public, err := receipt.ParsePublic(text)
	if err != nil {
		return nil, misuseError("--key: " + err.Error() + ", or a file that holds one; an admin of the installation reads it off the page of any erasure, or from 'fiducial doctor'")
	}
	return public, nil
}

func (v *receiptVerdict) print(w io.Writer, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(w).Encode(v)
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, row := range v.rows() {
		fmt.Fprintf(table, "%s\t%s\n", row[0], row[1])
	}
	return table.Flush()
}

func (v *receiptVerdict) rows() [][2]string {
	verdict := "holds"
	if !v.Holds {
		verdict = "does NOT hold: " + v.Why
	}
	rows := append([][2]string{{"signature", verdict}}, receiptRows(v.Receipt)...)
	switch {
	case v.Holds && v.Trusted:
		rows = append(rows, [2]string{"key", v.PublicKey + ", the one that you named"})
	case v.Holds:
		rows = append(rows, [2]string{"key", v.PublicKey + ", named by the receipt itself: compare it with what the installation's admins say"})
	}
	return rows
}

// receiptRows says in words what a receipt says.
func receiptRows(r *receipt.Receipt) [][2]string {
	rows := [][2]string{
		{"erasure", fmt.Sprintf("%d (%s)", r.Erasure, r.Kind)},
		{"items", fmt.Sprint(r.Items)},
	}
	if r.Redactions > 0 {
		rows = append(rows, [2]string{"redactions kept", fmt.Sprint(r.Redactions)})
	}
	kinds := make([]string, 0, len(r.Counts))
	for kind := range r.Counts {
		kinds = append(kinds, kind)
	}
	slices.Sort(kinds)
	for _, kind := range kinds {
		rows = append(rows, [2]string{"  " + kind, fmt.Sprint(r.Counts[kind])})
	}
	rows = append(rows, [2]string{"asked for", receiptTime(r.Requested)}, [2]string{"out of reach since", receiptTime(r.Erased)})
	if p := r.Proof; p != nil {
		rows = append(rows, [2]string{"looked for", fmt.Sprintf("in %d columns and %d prefixes of objects at %s: %d found", p.Columns, p.Prefixes, receiptTime(p.At), p.Found)})
	}
	return append(rows, remnantRows(r)...)
}

// remnantRows says where else it was, and until when.
func remnantRows(r *receipt.Receipt) [][2]string {
	if r.Rewritten == nil {
		return [][2]string{{"files of the database", "not rewritten yet"}}
	}
	rows := [][2]string{
		{"files of the database", fmt.Sprintf("%d rewritten, done at %s", r.Rewritten.Tables, receiptTime(r.Rewritten.At))},
		{"write-ahead log", r.Rewritten.Log.Words()},
		{"object store", r.Rewritten.Objects.Words()},
	}
	switch b := r.Backups; {
	case b == nil:
	case b.Until == nil:
		rows = append(rows, [2]string{"backups", "none is known that held it"})
	default:
		rows = append(rows, [2]string{"backups", fmt.Sprintf("%d held it; the last is to be deleted on %s", b.Known, b.Until)})
	}
	return rows
}

func receiptTime(t receipt.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

const signingKeyFile = "signing.key"

// signingKey returns the key of this installation's receipts: the setting's, or else the one in the data folder. There
// may be none yet.
func (f *platformFlags) signingKey() (receipt.Key, error) {
	if f.SigningKey != "" {
		key, err := receipt.ParseKey(f.SigningKey)
		if err != nil {
			return key, misuseError("FIDUCIAL_SIGNING_KEY: " + err.Error() + ": make one with 'openssl rand -base64 32'")
		}
		return key, nil
	}
	path := filepath.Join(f.Data, signingKeyFile)
	raw, err := os.ReadFile(path) //nolint:gosec // the folder is the operator's choice
	if errors.Is(err, os.ErrNotExist) {
		return receipt.Key{}, nil
	}
	if err != nil {
		return receipt.Key{}, fmt.Errorf("signing key: %w", err)
	}
	key, err := receipt.ParseKey(string(raw))
	if err != nil {
		return key, fmt.Errorf("%s: %w: put the file back from where you keep it, or move it away to have a new one made", path, err)
	}
	return key, nil
}

// keepSigningKey makes the key at the first start. Whoever keeps the data folder keeps it; it is in no backup.
func (f *platformFlags) keepSigningKey(random io.Reader) (receipt.Key, error) {
	key, err := f.signingKey()
	if err != nil || !key.IsZero() {
		return key, err
	}
	if key, err = receipt.NewKey(random); err != nil {
		return key, err
	}
	if err := writePrivate(filepath.Join(f.Data, signingKeyFile), key.Secret()+"\n"); err != nil {
		return receipt.Key{}, fmt.Errorf("signing key: %w: give one by FIDUCIAL_SIGNING_KEY, such as 'openssl rand -base64 32' makes", err)
	}
	return key, nil
}
