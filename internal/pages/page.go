package pages

// Page is one of the structs of this file. The set is closed: a page has a
// template and a policy, and both belong to this package.
type Page interface{ traits() traits }

// traits are what the headers of a page depend on.
type traits struct {
	file   string  // of the templates folder
	client *Client // whose logo is shown, if one is
	forms  forms
	script bool     // the page has an inline script, under a nonce
	frames []string // what the page loads, unseen: addresses of clients
	framed bool     // pages of every origin may frame it
}

// forms says where the forms of a page may lead.
type forms int

const (
	formsNone   forms = iota // the page has no form
	formsHere                // the answer comes from the issuer
	formsOnward              // the answer may redirect to a client
)

// Client is the application on whose behalf a page is shown, as it registered
// itself: nothing in it is trusted.
type Client struct {
	Name      string
	LogoURI   string // https, or data:image; shown only then
	PolicyURI string // http or https; linked only then
	TermsURI  string // likewise
	Host      string // where the browser goes afterwards, for example shop.example.com
}

// Persona is a made-up user of a demo, who signs in with one click.
type Persona struct {
	Login string // what the button posts as `persona`
	Name  string
	Note  string // what is special about them, for example "administrator"
}

// SignIn asks for user name and password. It posts `journey`, `login`,
// `password` and `action` (signin or cancel) to {Base}/signin; a persona's
// button posts `journey` and `persona`.
type SignIn struct {
	Client         *Client // nil when the person came by themselves
	Login          string  // filled in already: a login_hint, or what was typed last
	Problem        string  // why the last attempt did not work; the same for every cause
	Journey        string  // sealed; comes back as it is
	Personas       []Persona
	CanCancel      bool   // offers a way back to the client with access_denied
	Reauthenticate bool   // Login is known and must prove itself again; it cannot be edited
	Waiting        string // how long to wait when slowed down, for example "30 seconds"
}

func (p SignIn) traits() traits {
	return traits{file: "signin.html", client: p.Client, forms: formsOnward}
}

// Scope is one thing that a client asks for.
type Scope struct {
	Name        string // as on the wire
	Description string // what it means to a person: "see your e-mail address"
}

// Consent asks whether a third-party client may have what it asks for. It posts
// `journey` and `answer` (accept or deny) to {Base}/consent.
type Consent struct {
	Client    Client
	User      string // who is signed in, as they know themselves
	Scopes    []Scope
	Audiences []string // the services at which the scopes hold (RFC 8707)
	Journey   string   // sealed; comes back as it is
}

func (p Consent) traits() traits {
	return traits{file: "consent.html", client: &p.Client, forms: formsOnward}
}

// SignOut asks for confirmation. It posts `request` and `answer` (yes) to
// {Base}/logout.
type SignOut struct {
	Client  *Client // who asks for it, if anybody does
	User    string
	Request string // sealed; comes back as it is
}

func (p SignOut) traits() traits {
	return traits{file: "signout.html", client: p.Client, forms: formsOnward}
}

// SignedOut says that it is done. With Frames it tells clients in the browser
// (OpenID Connect Front-Channel Logout 1.0 §3), and goes on to Return when all of
// them are loaded, or after a few seconds.
type SignedOut struct {
	Client *Client // may be nil; only its name is shown
	Return string  // optional: where a link leads back to, and where the page goes on to
	Frames []string
}

func (p SignedOut) traits() traits {
	return traits{file: "signedout.html", frames: p.Frames, script: len(p.Frames) > 0 && p.Return != ""}
}

// SessionCheck is no page for people: clients frame it and ask its script whether
// who is signed in has changed (OpenID Connect Session Management 1.0 §3.2).
type SessionCheck struct {
	Cookie string // the name of the cookie that its script reads
}

func (SessionCheck) traits() traits { return traits{file: "check.html", script: true, framed: true} }

// User is the person who is signed in.
type User struct {
	Name  string // may be empty
	Login string
}

// Home is the issuer's front door.
type Home struct {
	User    *User  // nil: nobody is signed in
	Request string // sealed sign-out request; empty: the button leads to SignOut first
}

func (p Home) traits() traits {
	if p.User == nil {
		return traits{file: "home.html"}
	}
	return traits{file: "home.html", forms: formsHere}
}

// Password changes the password. It posts `request`, `current` and `password` to
// {Base}/account/password.
type Password struct {
	Login   string
	Current string // what is wrong with the password that was typed as the current one
	Next    string // what is wrong with the new one
	Waiting string // how long to wait when slowed down, for example "30 seconds"
	Request string // sealed; comes back as it is
}

func (Password) traits() traits { return traits{file: "password.html", forms: formsHere} }

// PasswordChanged says that it is done.
type PasswordChanged struct{ Login string }

func (PasswordChanged) traits() traits { return traits{file: "changed.html"} }

// Detail explains one parameter of a failed request.
type Detail struct {
	Name string // redirect_uri, client_id, …
	Text string // what is wrong with it and what would be right
}

// Failure says what went wrong, in words that a developer can act on.
type Failure struct {
	Title     string
	Message   string
	Details   []Detail
	Reference string // the request's id, to find it in the log
	Retry     string // where "Try again" leads: a path of ours, or a web address
}

func (Failure) traits() traits { return traits{file: "failure.html"} }

// Parameter is one field of an authorization response.
type Parameter struct{ Name, Value string }

// FormPost sends an authorization response to the client by a form (OAuth 2.0
// Form Post Response Mode §2). A script submits it; without scripts, a button.
type FormPost struct {
	Client     *Client // may be nil; only its name is shown
	Action     string  // the redirect URI; custom schemes are kept as they are
	Parameters []Parameter
}

func (FormPost) traits() traits {
	return traits{file: "formpost.html", forms: formsOnward, script: true}
}
