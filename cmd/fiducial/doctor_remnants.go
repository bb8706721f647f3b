package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"fiducial/store"
)

// checkLog says what an erasure leaves to the operator of the database.
func checkLog(ctx context.Context, p *platform) finding {
	const check = "write-ahead log"
	var recycled, archived, replicated, may bool
	err := p.Pool.QueryRow(ctx, `
		SELECT current_setting('wal_recycle') = 'on', current_setting('archive_mode') <> 'off', EXISTS (SELECT FROM pg_replication_slots),
			has_function_privilege('pg_switch_wal()', 'execute') AND has_function_privilege('pg_ls_waldir()', 'execute')`).Scan(&recycled, &archived, &replicated, &may)
	switch {
	case err != nil:
		return finding{check, findingWarn, err.Error(), "see the log of the database"}
	case !may:
		return finding{
			check, findingWarn, "this account may not begin a new segment: receipts of erasures say that the log is yours to clear",
			"GRANT EXECUTE ON FUNCTION pg_switch_wal(), pg_ls_waldir() TO the account, and from version 15 on GRANT pg_checkpoint TO it",
		}
	case archived || replicated:
		return finding{check, findingWarn, "it is archived or replicated: what was erased stays there until you delete those files", "delete archived segments within the time that you promise"}
	case recycled:
		return finding{check, findingWarn, "old segments are used again, and keep what was erased until they are written over", "set wal_recycle = off"}
	}
	return finding{check, findingOK, "cut off after every erasure", ""}
}

// checkBackups lists what was made and is still kept.
func checkBackups(ctx context.Context, p *platform) []finding {
	const check = "backups"
	st, err := store.New(p.Pool, nil)
	if err != nil {
		return []finding{{check, findingWarn, err.Error(), ""}}
	}
	kept, err := st.KeptBackups(ctx)
	if pgErr, ok := errors.AsType[*pgconn.PgError](err); ok && pgErr.Code == "42P01" { // undefined_table: the schema is older, or there is none
		return nil
	}
	if err != nil {
		return []finding{{check, findingWarn, err.Error(), "see the log of the database"}}
	}
	if len(kept) == 0 {
		return []finding{{check, findingWarn, "none is known", "make one with 'fiducial backup FILE', on another machine than this one"}}
	}
	findings := make([]finding, 0, len(kept))
	for _, b := range kept {
		f := finding{check, findingOK, fmt.Sprintf("%d of %s, kept until %s", b.ID, b.MadeAt.UTC().Format("2006-01-02 15:04 UTC"), b.KeepUntil.Format(time.DateOnly)), ""}
		switch {
		case b.Due:
			f.State, f.Advice = findingWarn, fmt.Sprintf("its day has passed: delete the file, then run 'fiducial backup deleted %d'", b.ID)
		case b.State == "writing":
			f.Detail += ", being written or cut off"
		}
		findings = append(findings, f)
	}
	return findings
}
