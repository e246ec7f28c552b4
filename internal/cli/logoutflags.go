package cli

import (
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/signet-id/signet/internal/admin"
)

// logoutFlags say how a client wants to hear that a session ended.
type logoutFlags struct {
	backURI, frontURI         string
	backSession, frontSession bool
}

func (f *logoutFlags) add(set *pflag.FlagSet) {
	set.StringVar(&f.backURI, "backchannel-logout-uri", "", "where it is told by a POST from here that a session ended")
	set.BoolVar(&f.backSession, "backchannel-logout-session-required", false, "that POST must name the session (sid)")
	set.StringVar(&f.frontURI, "frontchannel-logout-uri", "", "its page that the browser loads, unseen, when somebody signs out; at the origin of a redirect URI")
	set.BoolVar(&f.frontSession, "frontchannel-logout-session-required", false, "that page is told the issuer and the session (iss and sid)")
}

func (f *logoutFlags) settings(cmd *cobra.Command, s *admin.ClientSettings) {
	s.BackchannelURI = said(cmd, "backchannel-logout-uri", f.backURI)
	s.BackchannelSession = said(cmd, "backchannel-logout-session-required", f.backSession)
	s.FrontchannelURI = said(cmd, "frontchannel-logout-uri", f.frontURI)
	s.FrontchannelSession = said(cmd, "frontchannel-logout-session-required", f.frontSession)
}

// logoutFacts says where a client is told, and whether with the session's name.
func logoutFacts(w *page, c admin.ClientView) {
	told := func(uri string, session bool) string {
		if uri != "" && session {
			return uri + "  (with the session's name)"
		}
		return uri
	}
	w.fact("back-channel logout", told(c.BackchannelURI, c.BackchannelSession))
	w.fact("front-channel logout", told(c.FrontchannelURI, c.FrontchannelSession))
}
