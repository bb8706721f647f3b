package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"fiducial/assets"
	"fiducial/jobs/media"
	"fiducial/migrations"
	"fiducial/store/embedded"
)

type doctorCommand struct {
	platformFlags `embed:""`

	JSON bool `name:"json" help:"Print JSON."`
}

// What a check can find.
const (
	findingOK   = "ok"
	findingWarn = "warn"
	findingFail = "fail"
)

// finding is one line of the report.
type finding struct {
	Check  string `json:"check"`
	State  string `json:"state"`
	Detail string `json:"detail"`
	Advice string `json:"advice,omitempty"` // what to do about it
}

const (
	doctorPatience = 30 * time.Second
	littleSpace    = 5 << 30
	noSpace        = 500 << 20
	someSkew       = 2 * time.Second
	badSkew        = time.Minute
)

func (c *doctorCommand) Run(ctx context.Context, std *streams) error {
	ctx, cancel := context.WithTimeout(ctx, doctorPatience)
	defer cancel()
	findings := c.examine(ctx)
	if err := c.print(std, findings); err != nil {
		return err
	}
	for _, f := range findings {
		if f.State == findingFail {
			return errors.New("something is not as it must be: see above for what to do")
		}
	}
	return nil
}

// examine changes nothing that lasts: an embedded service that does not run is started for as long as
// the examination takes, and one that was never set up is left so.
func (c *doctorCommand) examine(ctx context.Context) []finding {
	findings := []finding{checkFrontEnd()}
	if c.DatabaseURL == "" || c.S3Endpoint == "" {
		findings = append(findings, c.checkFolder(), c.checkSpace())
	}
	if c.DatabaseURL == "" {
		findings = append(findings, checkPostgres(ctx))
	}
	findings = append(findings, c.checkSigningKey(), checkConverter(media.FindConverter()))
	p := &platform{databaseURL: c.DatabaseURL, name: processName()}
	findings = append(findings, c.examineDatabase(ctx, p)...)
	findings = append(findings, c.examineObjects(ctx, p)...)
	if err := p.Close(); err != nil {
		findings = append(findings, finding{"embedded services", findingWarn, err.Error(), "see the logs in the data folder"})
	}
	return findings
}

func checkFrontEnd() finding {
	if err := assets.Check(); err != nil {
		return finding{"front end", findingFail, err.Error(), "build the binary with 'make build'"}
	}
	return finding{"front end", findingOK, "in the binary", ""}
}

func (c *doctorCommand) checkFolder() finding {
	const check = "data folder"
	if err := c.makeDataDir(); err != nil {
		return finding{check, findingFail, err.Error(), "choose a folder that this user can write to, with --data or FIDUCIAL_DATA"}
	}
	file, err := os.CreateTemp(c.Data, "doctor-*")
	if err == nil {
		err = errors.Join(file.Close(), os.Remove(file.Name()))
	}
	if err != nil {
		return finding{check, findingFail, err.Error(), "let this user write there, or choose another folder with --data or FIDUCIAL_DATA"}
	}
	return finding{check, findingOK, c.Data + " can be written to", ""}
}

func (c *doctorCommand) checkSpace() finding {
	const check = "disk space"
	var fs syscall.Statfs_t
	if err := syscall.Statfs(c.Data, &fs); err != nil {
		return finding{check, findingWarn, err.Error(), "look at the disk yourself"}
	}
	free := int64(fs.Bavail) * int64(fs.Bsize) //nolint:gosec,unconvert,nolintlint // the types differ between systems
	detail := fmt.Sprintf("%.1f GB free at %s", float64(free)/1e9, c.Data)
	switch {
	case free < noSpace:
		return finding{check, findingFail, detail, "make room before anything else: a database with a full disk stops"}
	case free < littleSpace:
		return finding{check, findingWarn, detail, "make room soon"}
	}
	return finding{check, findingOK, detail, ""}
}

func (c *doctorCommand) checkSigningKey() finding {
	const check = "signing key"
	key, err := c.signingKey()
	switch {
	case err != nil:
		return finding{check, findingFail, err.Error(), "receipts of erasures need it"}
	case key.IsZero() && c.DatabaseURL != "" && c.S3Endpoint != "":
		return finding{check, findingWarn, "none is set", "give all processes the same one by FIDUCIAL_SIGNING_KEY, such as 'openssl rand -base64 32' makes; receipts of erasures stay unsigned without it"}
	case key.IsZero():
		return finding{check, findingOK, "the first start will make it", ""}
	}
	return finding{check, findingOK, "receipts verify by the public key " + key.String(), ""}
}

// checkConverter looks for the program that reads what is not WAV.
func checkConverter(converter media.Converter) finding {
	const check = "ffmpeg"
	if !converter.There() {
		return finding{
			check, findingWarn, "not installed: recordings must be WAV", "install it (apt-get install ffmpeg) to take FLAC, MP3, Ogg, M4A, G.722 and GSM too",
		}
	}
	return finding{check, findingOK, converter.Program(), ""}
}

func checkPostgres(ctx context.Context) finding {
	bin, major, err := embedded.InstalledPostgres(ctx)
	if err != nil {
		return finding{"PostgreSQL programs", findingFail, "none is installed", err.Error()}
	}
	return finding{"PostgreSQL programs", findingOK, fmt.Sprintf("version %d in %s", major, bin), ""}
}

func (c *doctorCommand) examineDatabase(ctx context.Context, p *platform) []finding {
	const check = "database"
	if c.DatabaseURL == "" {
		if _, err := os.Stat(filepath.Join(c.Data, "postgres", "data")); err != nil {
			return []finding{{check, findingOK, "the first start will make it", ""}}
		}
	}
	if err := c.openDatabase(ctx, p); err != nil {
		return []finding{{check, findingFail, err.Error(), "check that it runs, and DATABASE_URL; of the embedded one, see postgres.log in its folder"}}
	}
	const oldest = 15_00_00
	var number int
	var text string
	if err := p.Pool.QueryRow(ctx, `SELECT current_setting('server_version_num')::int, current_setting('server_version')`).Scan(&number, &text); err != nil {
		return []finding{{check, findingFail, err.Error(), "see the log of the database"}}
	}
	if number < oldest {
		return []finding{{check, findingFail, "PostgreSQL " + text, "use version 15 or newer"}}
	}
	return append([]finding{{check, findingOK, "PostgreSQL " + text + " answers", ""}, checkSchema(ctx, p), checkClock(ctx, p), checkLog(ctx, p)}, checkBackups(ctx, p)...)
}

func checkSchema(ctx context.Context, p *platform) finding {
	const check = "schema"
	var migrated bool
	if err := p.Pool.QueryRow(ctx, `SELECT to_regclass('goose_db_version') IS NOT NULL`).Scan(&migrated); err != nil {
		return finding{check, findingFail, err.Error(), "see the log of the database"}
	}
	if !migrated {
		return finding{check, findingOK, "empty: the first start will fill it", ""}
	}
	present, err := migrations.Version(ctx, p.Pool)
	if err != nil {
		return finding{check, findingFail, err.Error(), "see the log of the database"}
	}
	newest, err := migrations.Newest(ctx, p.Pool)
	switch {
	case err != nil:
		return finding{check, findingFail, err.Error(), "see the log of the database"}
	case present < newest:
		return finding{check, findingWarn, fmt.Sprintf("version %d of %d", present, newest), "make a backup with the version that serves it now, then run 'fiducial migrate'; 'serve' does that too"}
	case present > newest:
		return finding{check, findingFail, fmt.Sprintf("version %d, and this program knows %d", present, newest), "use the version of the program that migrated the database, or a newer one"}
	}
	return finding{check, findingOK, fmt.Sprintf("version %d, the newest", present), ""}
}

// checkClock compares the database's clock, by which leases and expiry go, with this machine's.
func checkClock(ctx context.Context, p *platform) finding {
	const check = "clock"
	began := time.Now()
	var there time.Time
	if err := p.Pool.QueryRow(ctx, `SELECT clock_timestamp()`).Scan(&there); err != nil {
		return finding{check, findingFail, err.Error(), "see the log of the database"}
	}
	took := time.Since(began)
	skew := there.Sub(began.Add(took / 2)).Abs()
	detail := fmt.Sprintf("%s apart from the database's", skew.Round(time.Millisecond))
	switch {
	case skew > badSkew:
		return finding{check, findingFail, detail, "set both clocks by NTP: what expires does so by the database's"}
	case skew > someSkew:
		return finding{check, findingWarn, detail, "set both clocks by NTP"}
	}
	return finding{check, findingOK, detail, ""}
}

func (c *doctorCommand) examineObjects(ctx context.Context, p *platform) []finding {
	const check = "object storage"
	if c.S3Endpoint == "" {
		if _, err := os.Stat(filepath.Join(c.Data, "objects")); err != nil {
			return []finding{{check, findingOK, "the first start will make it", ""}}
		}
	}
	err := c.openObjects(ctx, p)
	if err == nil {
		err = p.Blobs.Try(ctx)
	}
	if err != nil {
		return []finding{{check, findingFail, err.Error(), "check that it runs, the S3_ settings, and that the keys may read, write and delete in the bucket"}}
	}
	versioned, err := p.Blobs.Versioned(ctx)
	switch {
	case err != nil:
		return []finding{{check, findingOK, "writes, reads and deletes", ""}, {"bucket versions", findingWarn, err.Error(), "make sure that the bucket keeps no versions of objects"}}
	case versioned:
		return []finding{{check, findingOK, "writes, reads and deletes", ""}, {
			"bucket versions", findingWarn, "the bucket keeps old versions of objects",
			"turn versioning off: what is deleted must be gone; an erasure deletes every version, which needs the right s3:DeleteObjectVersion",
		}}
	}
	return []finding{{check, findingOK, "writes, reads and deletes", ""}, {"bucket versions", findingOK, "none are kept", ""}}
}

func (c *doctorCommand) print(std *streams, findings []finding) error {
	if c.JSON {
		return json.NewEncoder(std.out).Encode(findings)
	}
	table := tabwriter.NewWriter(std.out, 0, 0, 2, ' ', 0)
	for _, f := range findings {
		fmt.Fprintf(table, "%s\t%s\t%s\n", f.State, f.Check, strings.Join(strings.Fields(f.Detail), " "))
		if f.Advice != "" {
			fmt.Fprintf(table, "\t\t→ %s\n", f.Advice)
		}
	}
	return table.Flush()
}
