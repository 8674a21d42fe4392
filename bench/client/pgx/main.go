// The client benchmark through pgx: one goroutine a session, rows collected into structs and slices.
package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

const sessions = 10

const pgType = "select typname, typnamespace, typowner, typlen, typbyval, typcategory, typispreferred, typisdefined, " +
	"typdelim, typrelid, typelem, typarray from pg_type where typtypmod = $1 and typisdefined = $2"

type pgTypeRow struct {
	Typname        string
	Typnamespace   uint32
	Typowner       uint32
	Typlen         int16
	Typbyval       bool
	Typcategory    byte
	Typispreferred bool
	Typisdefined   bool
	Typdelim       byte
	Typrelid       uint32
	Typelem        uint32
	Typarray       uint32
}

const (
	batchRows = 1000
	copyRows  = 10000
)

func cpuSeconds() float64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err)
	}
	seconds := func(t syscall.Timeval) float64 { return float64(t.Sec) + 1e-6*float64(t.Usec) }
	return seconds(usage.Utime) + seconds(usage.Stime)
}

func collect[T any](ctx context.Context, c *pgx.Conn, scan pgx.RowToFunc[T], sql string, args ...any) (int, error) {
	rows, err := c.Query(ctx, sql, args...)
	if err != nil {
		return 0, err
	}
	all, err := pgx.CollectRows(rows, scan)
	return len(all), err
}

func runOnce(ctx context.Context, c *pgx.Conn, query string) (int, error) {
	switch query {
	case "pg_type":
		return collect(ctx, c, scanPgType, pgType, int32(-1), true)
	case "series":
		return collect(ctx, c, pgx.RowTo[int32], "select i from generate_series(1, 1000) as s(i)")
	case "bytea":
		return collect(ctx, c, pgx.RowTo[[]byte], "select value from _bytes")
	case "int_array":
		return collect(ctx, c, pgx.RowTo[[]int32], "select value from _arrays")
	case "one":
		return collect(ctx, c, pgx.RowTo[int32], "select 1+1")
	case "batch":
		var batch pgx.Batch
		for i := range batchRows {
			batch.Queue("insert into _batch (a, b) values ($1, $2)", int32(i), batchTexts[i])
		}
		return batchRows, c.SendBatch(ctx, &batch).Close()
	case "copy":
		n, err := c.CopyFrom(ctx, pgx.Identifier{"_copy"}, []string{"a", "b", "c"},
			pgx.CopyFromSlice(copyRows, func(i int) ([]any, error) {
				return []any{int32(i), int64(1000000007) * int64(i), copyTexts[i]}, nil
			}))
		return int(n), err
	}
	return 0, fmt.Errorf("unknown query %q", query)
}

// By hand: pgx's mapping by name costs reflection for each row.
func scanPgType(row pgx.CollectableRow) (pgTypeRow, error) {
	var r pgTypeRow
	err := row.Scan(&r.Typname, &r.Typnamespace, &r.Typowner, &r.Typlen, &r.Typbyval, &r.Typcategory,
		&r.Typispreferred, &r.Typisdefined, &r.Typdelim, &r.Typrelid, &r.Typelem, &r.Typarray)
	return r, err
}

var batchTexts, copyTexts []string

func texts(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf("this is row %d", i)
	}
	return out
}

func runSlice(ctx context.Context, conns []*pgx.Conn, query string, seconds float64) error {
	for _, c := range conns {
		if _, err := runOnce(ctx, c, query); err != nil {
			return err
		}
	}
	type count struct {
		statements, rows int
		err              error
	}
	counts := make([]count, len(conns))
	cpu := cpuSeconds()
	start := time.Now()
	end := start.Add(time.Duration(seconds * float64(time.Second)))
	var group sync.WaitGroup
	for i, c := range conns {
		group.Add(1)
		go func() {
			defer group.Done()
			var mine count
			for time.Now().Before(end) && mine.err == nil {
				var n int
				n, mine.err = runOnce(ctx, c, query)
				mine.rows += n
				mine.statements++
			}
			counts[i] = mine
		}()
	}
	group.Wait()
	took := time.Since(start).Seconds()
	used := cpuSeconds() - cpu
	var sum count
	for _, c := range counts {
		if c.err != nil {
			return c.err
		}
		sum.statements += c.statements
		sum.rows += c.rows
	}
	fmt.Printf("%d %d %.6f %.6f\n", sum.statements, sum.rows, took, used)
	return nil
}

func version() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, dep := range info.Deps {
			if dep.Path == "github.com/jackc/pgx/v5" {
				return dep.Version
			}
		}
	}
	return "(unknown)"
}

func main() {
	batchTexts, copyTexts = texts(batchRows), texts(copyRows)
	ctx := context.Background()
	var conns []*pgx.Conn
	for range sessions {
		c, err := pgx.Connect(ctx, os.Args[1])
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		conns = append(conns, c)
	}
	fmt.Printf("ready pgx %s (%s)\n", version(), runtime.Version())
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var query string
		var count int
		var seconds float64
		if _, err := fmt.Sscan(lines.Text(), &query, &count, &seconds); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		if err := runSlice(ctx, conns[:count], query, seconds); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}
