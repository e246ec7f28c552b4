package remote

import (
	"context"
	"net/http"
	"net/url"
	"strings"
)

// Post sends form to rawURL and returns the status of the answer, whatever it is; a
// redirect is an answer like any other. The body of the answer is not read.
//
// The guards and the faults are those of Fetch: a URL that may not be asked is
// fault.Invalid, an address that may not be reached fault.Denied, everything else
// that leaves us without an answer fault.Unavailable. Whether the form arrived is
// unknown then.
func (f *Fetcher) Post(ctx context.Context, rawURL string, form url.Values) (status int, err error) {
	header := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
	err = f.ask(ctx, http.MethodPost, rawURL, header, strings.NewReader(form.Encode()), func(response *http.Response) error {
		status = response.StatusCode
		return nil
	})
	return status, err
}
