package activities

import (
	"net/http"

	"github.com/cloud-mirror/cloud-mirror/storage/origin"
)

// Meaning returns a sentence or two for operators: what the failure means, and what helps.
func (f Failure) Meaning() string {
	if f.Class == string(origin.ClassBadHTTPStatus) {
		return meaningOfStatus(f.Status)
	}
	if text, ok := meanings()[f.Class]; ok {
		return text
	}
	return "The text has the reason. The worker's log has more."
}

func meaningOfStatus(status int) string {
	switch {
	case status == http.StatusNotFound || status == http.StatusGone:
		return "The source does not have the object, and clients get this status. Retry after it was published."
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return "The source refuses the worker, and clients go to the source. Check access, or the worker's network address."
	case status == http.StatusTooManyRequests:
		return "The source limits requests, and clients go to the source. The next request after the pause copies again."
	case status >= http.StatusInternalServerError:
		return "The source has a fault, and clients go to the source. The next request after the back-off copies again."
	}
	return "The source answered in a way that has no copy, and clients go to the source."
}

// meanings are the meanings of classes that can end a run, except BadHTTPStatus.
func meanings() map[string]string {
	const later = " The next request after the back-off copies again."
	return map[string]string{
		string(origin.ClassInvalidURL):       "The URL or a hop of its redirects is not allowed. Check source.allowed if it should be.",
		string(origin.ClassTooManyRedirects): "The redirects of the source loop, or exceed source.redirect_limit.",
		string(origin.ClassUnverifiable):     "The source contradicts itself, so no copy can be proved right. Clients go to the source.",
		string(origin.ClassUnreachable):      "The source does not answer, or its certificate is not trusted. Check it from the worker." + later,
		string(origin.ClassTruncated):        "The source ends the body too early. Clients go to the source." + later,
		string(origin.ClassMalformed):        "The source's response is not valid HTTP. Clients go to the source.",
		string(origin.ClassCorrupt):          "The bytes do not match the digest that the source sent. Check the object at the source.",
		string(origin.ClassTooLarge):         "The object is larger than source.max_size, max_size of its pool, or the limit of S3.",
		ClassTooSlow:                         "The source stays below source.min_average_rate. Clients go to the source." + later,
		ClassStalled:                         "The source stopped sending. Clients go to the source." + later,
		ClassExpired:                         "The bucket deletes the copy too soon. Compare its lifecycle rule with cache.expiry_margin.",
		ClassStorage:                         "The bucket refused a call or did not answer. Check the bucket, its policy and the network." + later,
		ClassRejected:                        "The bucket stored other bytes than the source sent, and the copy was given up.",
		ClassCache:                           "Redis did not answer. The next request finds the copy in the bucket.",
		ClassSealed:                          "The worker lacks the key that sealed the URL's query. Add it to source.query_keys.",
		ClassTurn:                            "Copies of other sources filled the worker, and this one lost its bytes eight times. Add workers.",
		ClassOperator:                        "An operator failed the activity. Clients go to the source until cache.negative_ttl has passed.",
		ClassCancelled:                       "An operator cancelled the copy. Clients go to the source until cache.negative_ttl has passed.",
		ClassPurged:                          "The object was purged during the copy. The next request copies it again.",
		ClassResult:                          "An operator or another build completed an activity with a result that is none." + later,
		ClassCopyMissing:                     "The bucket does not have the copy: an operator completed StreamCopy, or it was deleted." + later,
		ClassWrongPool:                       "The run was started in the task queue of another pool, or for another bucket.",
		ClassInvalidInput:                    "The run was started by hand with an input that describes no object.",
		ClassTimedOut:                        "No attempt ended in time. Check that workers of the pool run." + later,
	}
}
