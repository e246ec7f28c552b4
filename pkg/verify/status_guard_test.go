package verify_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/signet-id/signet/pkg/verify"
)

// Token Status List §8.3: the token is judged first, and what is refused anyway
// asks for no list.
func TestWhatIsWrongWithATokenIsSaidBeforeItsStatus(t *testing.T) {
	withJournal(t, func(t *testing.T, i *issuer, s *signer, j *journal) {
		v := i.listening(t)
		remembered := s.token(object{"exp": time.Now().Add(time.Minute).Unix()})
		wantAccepted(t, v, remembered)
		j.end(listIndex)
		synctest.Wait()
		wantRefused(t, v, remembered, verify.Ended)
		time.Sleep(2 * time.Minute)
		wantRefused(t, v, remembered, verify.Expired)
		elsewhere := statusAt(issuerURL+"/status/9", listIndex)
		for want, claims := range map[verify.Reason]object{
			verify.Expired:       {"exp": time.Now().Add(-time.Minute).Unix()},
			verify.WrongAudience: {"aud": "https://other.example"},
			verify.WrongIssuer:   {"iss": "https://evil.example"},
		} {
			wantRefused(t, v, s.token(claims), want)
			wantRefused(t, v, s.token(with(claims, object{"status": elsewhere})), want)
		}
		if got := i.asked("/status/9"); got != 0 {
			t.Errorf("%d requests for the list of tokens that are refused", got)
		}
	})
}

// Token Status List §9.
func TestAListThatIsNotGenuineKeepsNoOtherFromBeingHeld(t *testing.T) {
	withJournal(t, func(t *testing.T, i *issuer, s *signer, j *journal) {
		for _, uri := range []string{"/status/1", "/status/2", "/status/4", "/status/5", "/status/6"} {
			j.lists[issuerURL+uri] = nil
		}
		j.listBody = func(uri string) string {
			if uri == issuerURL+"/status/2" {
				return "x.y.z"
			}
			return s.list(uri, object{"position": 100})
		}
		v := i.verifier(t)
		wantAccepted(t, v, s.token(nil))
		time.Sleep(5 * time.Second)
		if got := v.Stats(); got.ListsHeld != 5 || got.ListsRefused == 0 {
			t.Errorf("%d of 5 lists are held, %d refused", got.ListsHeld, got.ListsRefused)
		}
	})
}
