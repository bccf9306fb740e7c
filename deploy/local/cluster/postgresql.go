package cluster

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cloud-mirror/cloud-mirror/deploy/local/supervise"
)

// PostgreSQL is the name of the database.
const PostgreSQL = "postgresql"

const (
	databaseUser    = "temporal"
	mainDatabase    = "temporal"
	visibleDatabase = "temporal_visibility"
	// maxConnections is more than those of five services; see serverConfig.
	maxConnections = 300
)

// database is a PostgreSQL server.
type database struct {
	bin      string          // Folder of its programs
	user     *supervise.User // nil is that of this process
	dir      string
	port     int
	password string
}

// findPostgreSQL returns the folder of PostgreSQL's programs, which is in no PATH on Debian.
func findPostgreSQL() (string, error) {
	if path, err := exec.LookPath("initdb"); err == nil {
		if path, err = filepath.EvalSymlinks(path); err == nil { // The other programs are beside the target
			return filepath.Dir(path), nil
		}
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if len(found) == 0 {
		return "", errors.New("PostgreSQL is missing: run ./deploy/install.sh postgres")
	}
	newest := slices.MaxFunc(found, func(a, b string) int { return version(a) - version(b) })
	return filepath.Dir(newest), nil
}

// version is the version in the path of a program.
func version(path string) int {
	n, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(path))))
	return n
}

// startDatabase makes a database in the cluster's folder and starts it.
func (c *Cluster) startDatabase(ctx context.Context) (err error) {
	d := database{dir: filepath.Join(c.opts.Dir, PostgreSQL), port: c.port(), password: rand.Text()}
	if d.bin, err = findPostgreSQL(); err != nil {
		return err
	}
	if d.user, err = databaseOwner(); err != nil {
		return err
	}
	secret := filepath.Join(d.dir, "password")
	if err = os.Mkdir(d.dir, 0o700); err == nil {
		err = os.WriteFile(secret, []byte(d.password), 0o600)
	}
	for _, path := range []string{d.dir, secret} {
		if err == nil && d.user != nil {
			err = os.Chown(path, int(d.user.UID), int(d.user.GID))
		}
	}
	if err != nil {
		return fmt.Errorf("create the folder of PostgreSQL: %w", err)
	}
	c.database = d
	err = supervise.Run(ctx, supervise.Spec{
		Name: "initdb", Path: filepath.Join(d.bin, "initdb"), Env: programEnv(), Dir: d.dir, User: d.user, Log: c.logPath("initdb"),
		Args: []string{
			"--pgdata", d.data(), "--username", databaseUser, "--pwfile", secret, "--auth", "scram-sha-256", "--encoding", "UTF8",
			"--no-locale",
		},
	})
	if err != nil {
		return err
	}
	return c.run(ctx, supervise.Spec{
		Name: PostgreSQL, Path: filepath.Join(d.bin, "postgres"), Env: programEnv(), Dir: d.dir, User: d.user, Log: c.logPath(PostgreSQL),
		Args: []string{
			"-D", d.data(), "-h", "127.0.0.1", "-p", strconv.Itoa(d.port), "-k", d.dir,
			"-c", fmt.Sprintf("max_connections=%d", maxConnections),
		},
		Ready: func(ctx context.Context) error {
			_, err := d.query(ctx, "postgres", "SELECT 1")
			return err
		},
	})
}

func (d database) data() string { return filepath.Join(d.dir, "data") }

// databaseOwner returns the user postgres if this process is root, and nil otherwise.
func databaseOwner() (*supervise.User, error) {
	if os.Geteuid() != 0 {
		return nil, nil //nolint:nilnil // Documented
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return nil, fmt.Errorf("PostgreSQL does not run as root: %w", err)
	}
	uid, uidErr := strconv.ParseUint(u.Uid, 10, 32)
	gid, gidErr := strconv.ParseUint(u.Gid, 10, 32)
	if err := errors.Join(uidErr, gidErr); err != nil {
		return nil, fmt.Errorf("read the ids of the user postgres: %w", err)
	}
	return &supervise.User{UID: uint32(uid), GID: uint32(gid)}, nil
}

// query runs a statement and returns its rows, without decoration.
func (d database) query(ctx context.Context, name, statement string) (string, error) {
	cmd := exec.CommandContext(ctx, filepath.Join(d.bin, "psql"), "--host", "127.0.0.1", "--port", strconv.Itoa(d.port),
		"--username", databaseUser, "--dbname", name, "--no-psqlrc", "--tuples-only", "--no-align", "--command", statement)
	cmd.Env, cmd.WaitDelay = programEnv("PGPASSWORD="+d.password), time.Second
	out, err := cmd.CombinedOutput()
	text := strings.TrimSpace(string(out))
	if err != nil {
		return "", fmt.Errorf("psql: %w: %s", err, text)
	}
	return text, nil
}

// ShardMoves returns how often processes of the history service have acquired a shard.
func (c *Cluster) ShardMoves(ctx context.Context) (int, error) {
	text, err := c.database.query(ctx, mainDatabase, "SELECT sum(range_id) FROM shards")
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(text)
}

// DatabaseUse is what the databases have done since the start.
type DatabaseUse struct {
	Transactions int64
	Bytes        int64 // On disk
}

// DatabaseUse returns the use of Temporal's databases. PostgreSQL counts a transaction within a
// second of its end.
func (c *Cluster) DatabaseUse(ctx context.Context) (use DatabaseUse, err error) {
	text, err := c.database.query(ctx, mainDatabase,
		"SELECT sum(xact_commit), sum(pg_database_size(datname)) FROM pg_stat_database WHERE datname LIKE 'temporal%'")
	if err != nil {
		return use, err
	}
	if _, err = fmt.Sscanf(text, "%d|%d", &use.Transactions, &use.Bytes); err != nil {
		return use, fmt.Errorf("read %q: %w", text, err)
	}
	return use, nil
}

// makeSchemas makes Temporal's two databases.
func (c *Cluster) makeSchemas(ctx context.Context, program string) error {
	for name, schema := range map[string]string{
		mainDatabase: "postgresql/v12/temporal", visibleDatabase: "postgresql/v12/visibility",
	} {
		for _, step := range [][]string{
			{"create-database", "--defaultdb", "postgres"}, {"setup-schema", "--version", "0.0"}, {"update-schema", "--schema-name", schema},
		} {
			err := supervise.Run(ctx, supervise.Spec{
				Name: "temporal-sql-tool " + step[0] + " of " + name, Path: program, Args: step, Dir: c.opts.Dir, Log: c.logPath("schema"),
				Env: programEnv("SQL_PLUGIN=postgres12", "SQL_HOST=127.0.0.1", fmt.Sprintf("SQL_PORT=%d", c.database.port),
					"SQL_USER="+databaseUser, "SQL_PASSWORD="+c.database.password, "SQL_DATABASE="+name),
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}
