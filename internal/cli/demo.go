package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/signet-id/signet/internal/admin"
)

const demoMachine = "robot"

func demoPersonas() []persona {
	return []persona{
		{login: "alice", name: "Alice Ahlgren", email: "alice@example.com", roles: []string{"admin"}, password: "wonderland-alice"},
		{login: "bob", name: "Bob Brandt", email: "bob@example.com", password: "brick-by-brick-bob"},
	}
}

func (p *program) demoCommand() *cobra.Command {
	var port int
	cmd := &cobra.Command{
		Use: "demo", Short: "Try everything out: an issuer, two services and two people, gone when it stops", Args: takes(),
		Long: "Start an issuer on this machine with two services behind it, orders and invoices,\n" +
			"and two people to sign in as. Everything is in a temporary folder and gone when\n" +
			"it stops.",
		RunE: func(cmd *cobra.Command, _ []string) error { return p.demo(cmd.Context(), port) },
	}
	portFlag(cmd, &port)
	return cmd
}

func portFlag(cmd *cobra.Command, port *int) {
	cmd.Flags().IntVar(port, "port", defaultPort, "the issuer's port on "+loopback+"; 0 means any that is free")
}

// stage is what the demo shows.
type stage struct {
	Issuer   string         `json:"issuer"`
	Services []stageService `json:"services"`
	Personas []stagePersona `json:"personas"`
	Clients  []newClient    `json:"clients"`
}

type stageService struct {
	Name string `json:"name"`
	URL  string `json:"url"`
	API  string `json:"api"`
}

type stagePersona struct {
	Login    string   `json:"login"`
	Roles    []string `json:"roles,omitempty"`
	Password string   `json:"password,omitempty"`
}

func (p *program) demo(ctx context.Context, port int) (err error) {
	if err := checkPort(port); err != nil {
		return err
	}
	services, err := p.listenServices(ctx, port)
	if err != nil {
		return err
	}
	defer func() {
		for _, s := range services {
			_ = s.Listener.Close() // its service has closed it already, unless something failed before
		}
	}()
	box, err := p.openSandbox(ctx, sandboxOptions{
		name: "Signet demo", port: port, level: slog.LevelWarn, personas: demoPersonas(),
		scopes: map[string]string{"orders:read": "See orders", "invoices:read": "See invoices"},
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, box.Close()) }()
	show, err := box.setStage(ctx, services)
	if err != nil {
		return err
	}
	if err := p.print(show, func(w *page) { show.page(w, p.Service != nil) }); err != nil {
		return err
	}
	if !p.json { // what a program reads is one document
		for i := range services {
			services[i].Terminal = p.Stdout
		}
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return box.app.Run(ctx) })
	for _, s := range services {
		group.Go(func() error { return p.Service(ctx, s) })
	}
	if err := group.Wait(); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

func checkPort(port int) error {
	const highest = 65535
	if port < 0 || port > highest {
		return usage(fmt.Sprintf("--port: %d is not a port", port), "write a number up to 65535, or 0 for any that is free")
	}
	return nil
}

// listenServices takes the services' ports, so that their URLs are known before
// anything is registered: the two beside the issuer's, or any.
func (p *program) listenServices(ctx context.Context, port int) ([]Service, error) {
	if p.Service == nil {
		return nil, nil
	}
	services := []Service{{Name: "orders", PeerName: "invoices"}, {Name: "invoices", PeerName: "orders"}}
	for i := range services {
		beside := 0
		if port != 0 {
			beside = (port + 1 + i) % (1 << 16)
		}
		l, err := listenLoopback(ctx, beside)
		if err != nil {
			l, err = listenLoopback(ctx, 0)
		}
		if err != nil {
			for _, opened := range services[:i] {
				err = errors.Join(err, opened.Listener.Close())
			}
			return nil, err
		}
		services[i].Listener, services[i].URL = l, "http://"+l.Addr().String()
	}
	services[0].PeerURL, services[1].PeerURL = services[1].URL, services[0].URL
	return services, nil
}

// setStage registers the services and the machine, and completes the services
// with what they are told.
func (b *sandbox) setStage(ctx context.Context, services []Service) (stage, error) {
	show := stage{Issuer: b.issuer}
	for _, who := range demoPersonas() {
		show.Personas = append(show.Personas, stagePersona{who.login, who.roles, who.password})
	}
	var audience, scopes []string
	for _, s := range services {
		audience, scopes = append(audience, s.URL), append(scopes, s.Name+":read")
	}
	scope, first := strings.Join(scopes, " "), true
	for i := range services {
		s := &services[i]
		s.Issuer, s.ClientID, s.Ended = b.issuer, s.Name, b.sessionEnded
		// Its own URL first: that is what its tokens are for when it does not say.
		own := []string{s.URL, s.PeerURL}
		title, back, after := titled(s.Name), []string{s.URL + "/callback"}, []string{s.URL + "/"}
		made, err := b.app.Operator.AddClient(ctx, s.ClientID, admin.ClientSettings{
			Title: &title, FirstParty: &first, RedirectURIs: &back, PostLogoutRedirectURIs: &after, Audience: &own, Scope: &scope,
		})
		if err != nil {
			return stage{}, err
		}
		s.ClientSecret = made.Secret.Reveal()
		show.Services = append(show.Services, stageService{s.Name, s.URL, s.URL + "/api/" + s.Name})
		show.Clients = append(show.Clients, newClient{made.ClientView, s.ClientSecret})
	}
	machine, err := b.app.Operator.AddClient(ctx, demoMachine, admin.ClientSettings{Audience: &audience, Scope: &scope, FirstParty: &first})
	if err != nil {
		return stage{}, err
	}
	show.Clients = append(show.Clients, newClient{machine.ClientView, machine.Secret.Reveal()})
	return show, nil
}

// sessionEnded reads in the audit log when a session ended.
func (b *sandbox) sessionEnded(ctx context.Context, sid string) (time.Time, error) {
	const recent = 100
	events, err := b.app.Operator.ListAudit(ctx, "", recent)
	if err != nil {
		return time.Time{}, err
	}
	for _, e := range events {
		if e.SessionID == sid && e.GrantID == "" {
			return e.Time, nil
		}
	}
	return time.Time{}, fmt.Errorf("the audit log does not say when the session %q ended", sid)
}

func (s stage) page(w *page, built bool) {
	w.line("Signet demo: everything here is temporary, and gone when you press Ctrl-C.\n")
	for _, svc := range s.Services {
		w.row("  "+titled(svc.Name), svc.URL)
	}
	w.row("  Issuer", s.Issuer)
	if !built {
		w.line("\nThe demo's services are not built into this program; the issuer is alone.")
	} else {
		w.line("\nOpen %s, sign in with one click, then look at %s.", s.Services[0].URL, s.Services[1].URL)
		w.line("Sign out there, and see here how soon the other one refuses the very same token.")
	}
	w.line("You may sign in as:\n")
	for _, who := range s.Personas {
		note := ""
		if len(who.Roles) > 0 {
			note = "roles: " + strings.Join(who.Roles, ", ")
		}
		w.row("  "+who.Login, "password: "+who.Password, note)
	}
	s.curl(w)
}

// curl is what to try in a terminal.
func (s stage) curl(w *page) {
	machine := s.Clients[len(s.Clients)-1]
	w.line("\nFrom a terminal, what everybody may know:\n")
	w.line("  curl -s %s/.well-known/openid-configuration", s.Issuer)
	w.line("\nA token for a machine:\n")
	ask := fmt.Sprintf("curl -s -u %s:%s -d grant_type=client_credentials %s/token", machine.ID, machine.Secret, s.Issuer)
	w.line("  %s", ask)
	if len(s.Services) == 0 {
		return
	}
	api := s.Services[0].API
	w.line("\nAn API without a token, and with it:\n")
	w.line("  curl -i %s", api)
	w.line("  TOKEN=$(%s | sed 's/.*\"access_token\":\"\\([^\"]*\\)\".*/\\1/')", ask)
	w.line("  curl -i -H \"Authorization: Bearer $TOKEN\" %s", api)
}
