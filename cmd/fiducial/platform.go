package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sync/errgroup"

	"fiducial/migrations"
	"fiducial/store"
	"fiducial/store/blob"
	"fiducial/store/embedded"
)

// platformFlags say where facts and bytes are kept. Without DATABASE_URL and S3_ENDPOINT, the
// embedded database and object store in the data folder are started.
type platformFlags struct {
	Data        string `help:"Folder of the embedded database and object store, and of this server's secrets." default:"${data}" env:"FIDUCIAL_DATA" type:"path" group:"Storage"`
	DatabaseURL string `help:"PostgreSQL 15 or newer; the embedded one if empty." env:"DATABASE_URL" group:"Storage"`
	PoolSize    int32  `help:"Connections to the database that this process may hold." default:"20" env:"FIDUCIAL_POOL_SIZE" group:"Storage"`

	S3Endpoint  string `name:"s3-endpoint" help:"URL of an S3 service; the embedded one if empty." env:"S3_ENDPOINT" group:"Storage"`
	S3Bucket    string `name:"s3-bucket" help:"Bucket, made if it is missing." default:"fiducial" env:"S3_BUCKET" group:"Storage"`
	S3Region    string `name:"s3-region" help:"Region of the bucket." default:"us-east-1" env:"S3_REGION" group:"Storage"`
	S3AccessKey string `name:"s3-access-key" help:"Access key." env:"S3_ACCESS_KEY" group:"Storage"`
	S3SecretKey string `name:"s3-secret-key" help:"Secret key; better given by the environment." env:"S3_SECRET_KEY" group:"Storage"`

	SigningKey string `help:"Key of the receipts of erasures, 32 bytes in base64, shared by all processes of an installation; better given by the environment. Without it, serve makes and keeps one in the data folder." env:"FIDUCIAL_SIGNING_KEY" group:"Storage"`
}

// platform is the open database and object store, whether embedded or external.
type platform struct {
	Pool  *pgxpool.Pool
	Blobs *blob.Bucket
	Store *store.Store

	name        string // of this process, at the database and in the queue
	databaseURL string
	postgres    *embedded.Postgres // nil if external
	objects     *embedded.Objects  // nil if external
}

// defaultDataDir is reachable by the postgres user when we are root: Postgres refuses to run as root.
func defaultDataDir() string {
	if os.Geteuid() == 0 {
		return "/var/lib/fiducial"
	}
	if dir := os.Getenv("XDG_DATA_HOME"); dir != "" {
		return filepath.Join(dir, "fiducial")
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return filepath.Join(".data", "fiducial")
	}
	return filepath.Join(home, ".local", "share", "fiducial")
}

// processName is this process's own, among all that share the database: store.RescueJobs tells by it
// who is still there. Postgres keeps 63 bytes of it.
func processName() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return "fiducial-" + host[:min(len(host), 40)] + "-" + rand.Text()[:8]
}

// open starts what is embedded, connects to both services and returns them unmigrated. When it
// fails, whatever it had started is stopped again.
func (f *platformFlags) open(ctx context.Context) (p *platform, err error) {
	p = &platform{databaseURL: f.DatabaseURL, name: processName()}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.Close())
		}
	}()
	if err := f.makeDataDir(); err != nil {
		return p, err
	}
	var start errgroup.Group // both take most of their time waiting
	start.Go(func() error { return f.openDatabase(ctx, p) })
	start.Go(func() error { return f.openObjects(ctx, p) })
	if err := start.Wait(); err != nil {
		return p, err
	}
	if p.Store, err = store.New(p.Pool, p.Blobs); err != nil {
		return p, err
	}
	key, err := f.signingKey()
	if err != nil {
		return p, err
	}
	p.Store.SignWith(key)
	p.Store.KeepLedger(f.openLedger(p))
	if f.S3Endpoint == "" {
		p.Store.OwnsObjects()
	}
	return p, nil
}

// makeDataDir lets the postgres user pass through, and nobody list what is there.
func (f *platformFlags) makeDataDir() error {
	if f.DatabaseURL != "" && f.S3Endpoint != "" {
		return nil
	}
	if err := os.MkdirAll(f.Data, 0o711); err != nil { //nolint:gosec // each service's own folder inside is closed
		return fmt.Errorf("data folder: %w: choose one with --data", err)
	}
	return nil
}

func (f *platformFlags) openDatabase(ctx context.Context, p *platform) error {
	if p.databaseURL == "" {
		if err := f.startPostgres(ctx, p); err != nil {
			return fmt.Errorf("embedded database: %w", err)
		}
	}
	cfg, err := pgxpool.ParseConfig(p.databaseURL)
	if err != nil {
		return fmt.Errorf("DATABASE_URL: %w", err)
	}
	cfg.MaxConns = f.PoolSize
	cfg.ConnConfig.RuntimeParams["application_name"] = p.name
	if p.Pool, err = pgxpool.NewWithConfig(ctx, cfg); err != nil {
		return fmt.Errorf("database: %w", err)
	}
	if err := p.Pool.Ping(ctx); err != nil {
		return fmt.Errorf("database does not answer: %w", err)
	}
	return nil
}

// startPostgres starts the cluster in the data folder, or finds the one that a server at work on the
// same folder has started, so that 'user add' needs no stop.
func (f *platformFlags) startPostgres(ctx context.Context, p *platform) (err error) {
	dir := filepath.Join(f.Data, "postgres")
	p.postgres, err = embedded.StartPostgres(ctx, dir, embedded.PostgresOptions{})
	switch {
	case err == nil:
		p.databaseURL = p.postgres.DSN
	case errors.Is(err, embedded.ErrInUse):
		p.databaseURL, err = embedded.PostgresDSN(dir), nil
	}
	return err
}

// startObjects does the same for the object store.
func (f *platformFlags) startObjects(ctx context.Context, p *platform) (embedded.ObjectsAccess, error) {
	self, err := os.Executable()
	if err != nil {
		return embedded.ObjectsAccess{}, err
	}
	dir := filepath.Join(f.Data, "objects")
	p.objects, err = embedded.StartObjects(ctx, dir, []string{self, "objects"})
	if errors.Is(err, embedded.ErrInUse) {
		return embedded.RunningObjects(dir)
	}
	if err != nil {
		return embedded.ObjectsAccess{}, err
	}
	return p.objects.ObjectsAccess, nil
}

func (f *platformFlags) openObjects(ctx context.Context, p *platform) (err error) {
	cfg := blob.Config{
		Endpoint: f.S3Endpoint, Bucket: f.S3Bucket, Region: f.S3Region, AccessKey: f.S3AccessKey, SecretKey: f.S3SecretKey,
	}
	if f.S3Endpoint == "" {
		own, err := f.startObjects(ctx, p)
		if err != nil {
			return fmt.Errorf("embedded object store: %w", err)
		}
		cfg.Endpoint, cfg.AccessKey, cfg.SecretKey = own.Endpoint, own.AccessKey, own.SecretKey
	}
	if p.Blobs, err = blob.Open(ctx, cfg); err != nil {
		return fmt.Errorf("object storage: %w", err)
	}
	return nil
}

// migrate brings the schema up to date and logs how long that took.
func (p *platform) migrate(ctx context.Context) error {
	began := time.Now()
	if err := migrations.Up(ctx, p.Pool); err != nil {
		return err
	}
	slog.DebugContext(ctx, "schema is current", slog.Duration("took", time.Since(began)))
	return nil
}

// withStore opens what f names, brings it up to date and closes it after fn. A server may be at work
// on the same data folder.
func (f *platformFlags) withStore(ctx context.Context, fn func(*store.Store) error) (err error) {
	p, err := f.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	if err := p.migrate(ctx); err != nil {
		return err
	}
	return fn(p.Store)
}

// Close releases everything in the order opposite to its opening.
func (p *platform) Close() error {
	var errs []error
	if p.Pool != nil {
		p.Pool.Close()
	}
	if p.objects != nil {
		errs = append(errs, p.objects.Stop())
	}
	if p.postgres != nil {
		errs = append(errs, p.postgres.Stop())
	}
	return errors.Join(errs...)
}
