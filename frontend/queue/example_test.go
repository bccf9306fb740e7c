package queue_test

import (
	"fmt"

	"github.com/cloud-mirror/cloud-mirror/frontend/queue"
)

func ExampleEncode() {
	body, err := queue.Encode(queue.Request{
		Pool:     "s3_us-west-2",
		URL:      "https://example.com/a.zip",
		Action:   queue.Put,
		Priority: queue.Low,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(body)
	// Output:
	// {"version":1,"data":{"id":"s3_us-west-2","url":"https://example.com/a.zip","action":"put","priority":"low"}}
}
