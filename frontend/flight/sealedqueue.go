package flight

import (
	"context"

	"github.com/cloud-mirror/cloud-mirror/frontend/queue"
	"github.com/cloud-mirror/cloud-mirror/frontend/requestid"
	"github.com/cloud-mirror/cloud-mirror/storage"
	"github.com/cloud-mirror/cloud-mirror/storage/seal"
)

// sealedQueue seals the queries of all requests that this process sends: a query may be a
// signature, and a queue has other readers. It also adds the id of the request.
type sealedQueue struct {
	Queue
	sealer *seal.Sealer
	pools  map[string]storage.Pool // by id
}

func (q sealedQueue) Send(ctx context.Context, r queue.Request) error {
	p := q.pools[r.Pool]
	sealed := q.sealer.Seal(storage.Object{Service: p.Service, Region: p.Region, URL: r.URL})
	if sealed.Query != "" {
		r.URL, r.SealedQuery, r.Hash = sealed.URL, sealed.Query, sealed.Hash
	}
	r.RequestID = requestid.From(ctx)
	return q.Queue.Send(ctx, r)
}
