package workflows_test

import (
	"fmt"

	"github.com/cloud-mirror/cloud-mirror/storage"
	"github.com/cloud-mirror/cloud-mirror/storage/seal"
	"github.com/cloud-mirror/cloud-mirror/workflows"
)

func ExampleID() {
	sealer, err := seal.New([]string{"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="})
	if err != nil {
		panic(err)
	}
	object := storage.Object{Service: "s3", Region: "us-west-2", URL: "https://example.com/builds/42/target.zip?sig=secret"}
	fmt.Println(workflows.ID(sealer.Seal(object)))
	// Output: s3_us-west-2/example.com/builds/42/target.zip/273e621973b9fbca
}
