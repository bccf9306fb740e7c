package tools

// Program is a third-party program in one version.
type Program struct {
	Name      string
	Package   string // its main package
	Version   string // for the Go module proxy
	BuildTime string // how long a build takes on a small machine, for humans
}

// temporal is the Temporal CLI, which is the development server as well. Version 1.5.1 is the newest that can be built
// from the module proxy (1.9.1 can't).
func temporal() Program {
	return Program{
		Name: "temporal", Package: "github.com/temporalio/cli/cmd/temporal", Version: "v1.5.1",
		BuildTime: "about 3 minutes",
	}
}

// VersityGW is an S3 server over a folder.
func VersityGW() Program {
	return Program{
		Name: "versitygw", Package: "github.com/versity/versitygw/cmd/versitygw", Version: "v1.8.0",
		BuildTime: "about 2 minutes",
	}
}

// MinIO is another S3 server, for tests. The module proxy has no releases of it, only commits.
func MinIO() Program {
	return Program{
		Name: "minio", Package: "github.com/minio/minio", Version: "v0.0.0-20260212201848-7aac2a2c5b7c",
		BuildTime: "about 2 minutes",
	}
}
