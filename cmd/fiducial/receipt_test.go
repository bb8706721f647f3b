package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fiducial/internal/receipt"
)

const sampleReceipt = "../../internal/receipt/testdata/receipt.json"

// verify runs 'receipt verify' on a document that goes to standard input.
func verify(t *testing.T, document string, args ...string) (code int, out, messages string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code = run(context.Background(), append([]string{"receipt", "verify", "-"}, args...), strings.NewReader(document), &stdout, &stderr)
	return code, stdout.String(), stderr.String()
}

func TestReceiptVerify(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile(sampleReceipt)
	if err != nil {
		t.Fatal(err)
	}
	good := string(raw)
	const public = "6kpsY+KcUgq+9VB7Ey7F+ZVHdq6+vnuSQh7qaRRG0iw="
	keyFile := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(keyFile, []byte(public+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	other, err := receipt.NewKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, document string
		args           []string
		code           int
		says           string
	}{
		{"as it was", good, nil, 0, "compare it with what the installation's admins say"},
		{"by the key", good, []string{"--key", public}, 0, "the one that you named"},
		{"by the key's file", good, []string{"--key", keyFile}, 0, "the last is to be deleted on 2026-04-03"},
		{"by another key", good, []string{"--key", other.String()}, exitAnswerNo, "does NOT hold"},
		{"changed", strings.Replace(good, "1200", "1", 1), nil, exitAnswerNo, "does NOT hold"},
		{"no receipt", `{"a":1}`, nil, exitMisuse, "receipt"},
		{"no key", good, []string{"--key", "xyz"}, exitMisuse, "32 bytes in base64"},
	}
	for _, tt := range tests {
		code, out, messages := verify(t, tt.document, tt.args...)
		if code != tt.code || !strings.Contains(out+messages, tt.says) {
			t.Errorf("%s: exit %d\n%s%s", tt.name, code, out, messages)
		}
	}
	_, out, _ := verify(t, good, "--json")
	var v receiptVerdict
	if err := json.Unmarshal([]byte(out), &v); err != nil || !v.Holds || v.Trusted || v.Receipt.Items != 1200 {
		t.Errorf("%v: %s", err, out)
	}
}

func TestSigningKeyIsKept(t *testing.T) {
	t.Parallel()
	flags := platformFlags{Data: t.TempDir()}
	if key, err := flags.signingKey(); err != nil || !key.IsZero() {
		t.Errorf("before the first start: %v, %v", key, err)
	}
	made, err := flags.keepSigningKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(flags.Data, signingKeyFile)
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if again, err := flags.keepSigningKey(rand.Reader); err != nil || again.Secret() != made.Secret() {
		t.Errorf("the next start made another key: %v", err)
	}
	other, err := receipt.NewKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	flags.SigningKey = other.Secret()
	if key, err := flags.signingKey(); err != nil || key.Secret() != other.Secret() {
		t.Errorf("the setting does not go before the file: %v", err)
	}
	flags.SigningKey = "short"
	if _, err := flags.signingKey(); err == nil || !strings.Contains(err.Error(), "openssl rand") {
		t.Errorf("a setting that is no key: %v", err)
	}
	flags.SigningKey = ""
	if err := os.WriteFile(path, []byte("damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := flags.keepSigningKey(rand.Reader); err == nil {
		t.Error("a damaged key was replaced: old receipts would be orphaned without a word")
	}
}
