package tools

// Program is a third-party program in one version.
type Program struct {
	Name      string
	Package   string // Its main package
	Version   string // In the Go module proxy
	BuildTime string // Of a build on a small machine, as text
}

// temporal is the Temporal CLI, which includes the development server. Version 1.5.1 is the newest
// that builds from the module proxy. Version 1.9.1 does not.
func temporal() Program {
	return Program{
		Name: "temporal", Package: "github.com/temporalio/cli/cmd/temporal", Version: "v1.5.1",
		BuildTime: "about 3 minutes",
	}
}

// VersityGW is an S3 server that stores objects in a folder.
func VersityGW() Program {
	return Program{
		Name: "versitygw", Package: "github.com/versity/versitygw/cmd/versitygw", Version: "v1.8.0",
		BuildTime: "about 2 minutes",
	}
}

// MinIO is a second S3 server, for tests. The module proxy has only commits of it, and no releases.
func MinIO() Program {
	return Program{
		Name: "minio", Package: "github.com/minio/minio", Version: "v0.0.0-20260212201848-7aac2a2c5b7c",
		BuildTime: "about 2 minutes",
	}
}

// temporalServer is the version of Temporal's server, the same as in the pinned CLI.
const temporalServer = "v1.29.1"

// TemporalServer runs each of Temporal's services as a process.
func TemporalServer() Program {
	return Program{
		Name: "temporal-server", Package: "go.temporal.io/server/cmd/server", Version: temporalServer,
		BuildTime: "about 2 minutes",
	}
}

// TemporalSQLTool makes the schema of Temporal's databases.
func TemporalSQLTool() Program {
	return Program{
		Name: "temporal-sql-tool", Package: "go.temporal.io/server/cmd/tools/sql", Version: temporalServer,
		BuildTime: "about a minute, after temporal-server",
	}
}

// Helm renders and lints the chart of deploy/charts, for tests.
func Helm() Program {
	return Program{
		Name: "helm", Package: "helm.sh/helm/v4/cmd/helm", Version: "v4.3.1",
		BuildTime: "about 4 minutes",
	}
}
