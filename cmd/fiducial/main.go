// Command fiducial is the whole product in one binary: the server, its workers, and the
// command line for administrators, engineers and scripts.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"fiducial/internal/speech"
)

// Exit codes, the same for every command.
const (
	exitFailed   = 1
	exitMisuse   = 2
	exitAnswerNo = 3
)

// errAnswerNo ends a command whose question was answered with no: a gate is closed, a
// verification failed. What was found has been printed already.
var errAnswerNo = errors.New("the answer is no")

// misuseError is a wrong use of the command line; its text says what to do instead.
type misuseError string

func (e misuseError) Error() string { return string(e) }

// version is set by the linker.
var version = "unknown"

type commandLine struct {
	Version kong.VersionFlag `help:"Print the version."`

	LogLevel  slog.Level `help:"How much to log: debug, info, warn or error." default:"info" env:"FIDUCIAL_LOG_LEVEL" group:"Logging"`
	LogFormat string     `help:"text or json." enum:"text,json" default:"text" env:"FIDUCIAL_LOG_FORMAT" group:"Logging"`

	Serve   serveCommand   `cmd:"" help:"Run the web server, and the background jobs with it." group:"On the server"`
	Work    workCommand    `cmd:"" help:"Run background jobs only." group:"On the server"`
	Demo    demoCommand    `cmd:"" help:"Fill an empty installation with the demo project." group:"On the server"`
	Migrate migrateCommand `cmd:"" help:"Bring the database to this binary's schema." group:"On the server"`
	User    userCommand    `cmd:"" help:"Make accounts." group:"On the server"`
	Token   tokenCommand   `cmd:"" help:"Make API tokens." group:"On the server"`
	Backup  backupCommand  `cmd:"" help:"Write everything into one file, also while a server runs." group:"On the server"`
	Restore restoreCommand `cmd:"" help:"Read a backup into an empty place, and verify it." group:"On the server"`
	Ledger  ledgerCommand  `cmd:"" help:"Write the ledger of erasures into a file, to be kept apart from backups." group:"On the server"`
	Doctor  doctorCommand  `cmd:"" help:"Examine what is installed, reachable, writable and migrated, and say what to do about the rest." group:"On the server"`

	Project  projectCommand  `cmd:"" help:"Make and list projects." group:"Against a server"`
	Source   sourceCommand   `cmd:"" help:"Make and list sources." group:"Against a server"`
	Model    modelCommand    `cmd:"" help:"Register models and their releases." group:"Against a server"`
	Eval     evalCommand     `cmd:"" help:"Measure models over datasets: start, follow, stop, try again." group:"Against a server"`
	Chain    chainCommand    `cmd:"" help:"Make, list and change chains of models that are measured together." group:"Against a server"`
	Alert    alertCommand    `cmd:"" help:"List alerts, acknowledge them, put them off, close them." group:"Against a server"`
	Schedule scheduleCommand `cmd:"" help:"Have evaluations started by the clock, or after releases." group:"Against a server"`
	Import   importCommand   `cmd:"" help:"Bring pictures and labels into a project." group:"Against a server"`
	Pairs    pairsCommand    `cmd:"" help:"List the classes that are confused in a project." group:"Against a server"`
	Relabel  relabelCommand  `cmd:"" help:"Send labels back that were made under an older definition." group:"Against a server"`
	Review   reviewCommand   `cmd:"" help:"Decide on items: approve, amend, merge, send back, discard, undo." group:"Against a server"`
	Batch    batchCommand    `cmd:"" help:"Make batches of items, and approve or return them as a whole." group:"Against a server"`
	Plan     planCommand     `cmd:"" help:"Choose utterances by how sure a model was, and see what that brings." group:"Against a server"`
	Round    roundCommand    `cmd:"" help:"Open rounds, each a share of every class, and list them." group:"Against a server"`
	Dataset  datasetCommand  `cmd:"" help:"Freeze, verify, compare and list datasets." group:"Against a server"`
	Access   accessCommand   `cmd:"" help:"Write what is held on a source, or on a person, into a zip file." group:"Against a server"`
	Export   exportCommand   `cmd:"" help:"Write a dataset version into a zip file." group:"Against a server"`
	Change   changeCommand   `cmd:"" help:"Record on the timeline what a team did, list it, put it right." group:"Against a server"`
	Consumer consumerCommand `cmd:"" help:"Record who uses dataset versions, and confirm that their copies of erased items are deleted." group:"Against a server"`
	Expiring expiringCommand `cmd:"" help:"Print what expires when, and what that does to dataset versions." group:"Against a server"`

	Erase     eraseCommand     `cmd:"" help:"Erase a source, a group or items for good." group:"Against a server"`
	Quality   qualityCommand   `cmd:"" help:"Print how each labeler of a project does." group:"Against a server"`
	Gold      goldCommand      `cmd:"" help:"Add, list and remove gold items, whose truth measures labelers." group:"Against a server"`
	Agreement agreementCommand `cmd:"" help:"Print how far the answers of a project agree." group:"Against a server"`

	Receipt receiptCommand `cmd:"" help:"Print the receipt of an erasure, or check one that was handed out." group:"Against a server"`
	Score   scoreCommand   `cmd:"" help:"Compute the figures of the pages for a file of your own." group:"Without a server"`

	Objects     objectsCommand     `cmd:"" hidden:""`
	Healthcheck healthcheckCommand `cmd:"" hidden:""`
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// streams are where a command reads and writes: the answer goes to out, everything else to err.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

func run(ctx context.Context, args []string, in io.Reader, out, errOut io.Writer) int {
	var cli commandLine
	parser, err := kong.New(&cli,
		kong.Name("fiducial"),
		kong.Description("Make ground truth, keep datasets honest, measure every model against them."),
		kong.UsageOnError(),
		kong.Vars{"version": version, "data": defaultDataDir(), "normalizers": strings.Join(speech.NormalizerNames(), ",")},
		kong.Writers(out, errOut),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(&streams{in: in, out: out, err: errOut}),
	)
	if err != nil {
		fmt.Fprintln(errOut, "fiducial:", err)
		return exitFailed
	}
	kctx, err := parser.Parse(args)
	if err != nil {
		fmt.Fprintf(errOut, "fiducial: %v\nTry: fiducial --help\n", err)
		return exitMisuse
	}
	slog.SetDefault(newLogger(errOut, cli.LogLevel, cli.LogFormat))
	return exitCode(kctx.Run(), errOut)
}

func exitCode(err error, errOut io.Writer) int {
	var misuse misuseError
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errAnswerNo):
		return exitAnswerNo
	case errors.As(err, &misuse):
		fmt.Fprintln(errOut, "fiducial:", misuse)
		return exitMisuse
	default:
		fmt.Fprintln(errOut, "fiducial:", err)
		return exitFailed
	}
}

func newLogger(w io.Writer, level slog.Level, format string) *slog.Logger {
	opts := &slog.HandlerOptions{Level: level}
	if format == "json" {
		return slog.New(slog.NewJSONHandler(w, opts))
	}
	return slog.New(slog.NewTextHandler(w, opts))
}
